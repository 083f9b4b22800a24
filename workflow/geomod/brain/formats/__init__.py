"""Layouts of responses that many labs have, a file and one `@reader` each.

`reader: {plugin: table_each}` names a file here as it would name a lab's own: a new layout is that
one file, and nothing else has to know of it.
"""
