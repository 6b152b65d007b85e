"""The sections of the page, one module each: documents in, blocks out."""
