"""Callbacks, and the client's opening and closing, in web frameworks: import the file of yours by its path.

``portal`` is for programs without asyncio. ``asgi`` needs nothing, ``starlette``, ``fastapi`` and ``aiohttp`` the
extra of their name. All but ``portal`` use the same verbs: a *callback* app, route, router or handler receives;
``client_lifespan`` (aiohttp: ``client_context``) opens the client with the application and closes it; ``client_of``
gives the open client to whatever answers a request.
"""
