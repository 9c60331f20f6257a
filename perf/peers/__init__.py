"""The mail servers that Postern is measured against, one file each: how each is set up, and why no other way of setting it up is faster."""
