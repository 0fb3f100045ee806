"""The pages: the jobs in a browser. Everything works without JavaScript, which only updates open pages.

A page is made in three steps: `visitor` finds the user, a module for each page collects its content, `templates`
renders it. Jobs are read and changed only through the same services as in the API.
"""
