"""Portal: "My Bonus Program", the page on which customers see what they have, what is missing, and what it is worth."""
