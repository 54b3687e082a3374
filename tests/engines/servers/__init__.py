"""One module per kind of server, with the same names in each: VERSIONS, prepare, initialise, command, probe, create,
drop, url.
"""
