"""What is behind image URLs: asked for once, safely and politely, before anything is linted."""
