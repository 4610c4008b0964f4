"""What the machine has and what is free: psutil, NVML, cgroups."""
