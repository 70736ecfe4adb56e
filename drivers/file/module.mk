DRIVERS += file
