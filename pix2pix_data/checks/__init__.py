"""What the dataset doctor looks at: one file for each subject, each with what is measured and what follows from it."""
