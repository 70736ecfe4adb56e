DRIVERS += null
