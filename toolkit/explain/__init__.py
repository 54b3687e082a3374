"""A plan put before people: the same facts as text for a terminal, as Markdown, and as a page with a picture."""
