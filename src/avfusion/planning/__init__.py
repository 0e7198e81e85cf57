"""What a study will take, and how far it is: jobs, hours, memory, disk, states and time left."""
