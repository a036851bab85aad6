"""The messages: what each needs to know, what it says in MJML and in text, and its translations."""
