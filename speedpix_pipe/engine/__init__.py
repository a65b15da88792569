"""The run itself: `drive` acts, the walk of `plan` decides what is ready, `lanes` decide what may go on now."""
