"""The pages: jobs in a browser. They work without JavaScript; the script only updates open pages.

A page is made in three steps: `visitor` finds the user, the page's module collects the content, `templates` renders it.
The pages use the same services as the API.
"""
