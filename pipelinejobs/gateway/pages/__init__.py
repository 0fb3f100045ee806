"""The pages: what people see of the jobs in a browser. Everything works without JavaScript, which only keeps it fresh.

A page is made in three steps: `visit` says who asks, a module for each page gathers what it shows, `templates`
words it. Nothing here reads or changes jobs in a way of its own.
"""
