DRIVERS += fault
