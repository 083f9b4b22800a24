"""What a config may say, a file a section; `whole.py` is the config.

These models are the only place where a key, its type, its default and its meaning are written:
the JSON schema in `workflow/schemas/` and the tables in `config/README.md` are made from them
(`geomod/plan/documents.py`), and a test holds the three together.
"""
