"""What crosses a border: the topics, the records on them, and their published schemas."""
