/*
 * libsvm_container.a: what an image asks about the limits of its container. Reading cgroups needs much of the JVM's own
 * code; images built here see the machine, and set their heap's size themselves (-R:MaxHeapSize).
 */
#include <unistd.h>

int svm_container_initialize(int version) {
  (void)version;
  return 0; /* not containerized */
}

unsigned long svm_container_physical_memory(void) {
  return (unsigned long)sysconf(_SC_PHYS_PAGES) * (unsigned long)sysconf(_SC_PAGESIZE);
}

int svm_container_active_processor_count(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }

#define UNLIMITED(name) \
  long svm_container_##name(void) { return -1; }

UNLIMITED(memory_limit_in_bytes)
UNLIMITED(memory_and_swap_limit_in_bytes)
UNLIMITED(memory_soft_limit_in_bytes)
UNLIMITED(memory_usage_in_bytes)
UNLIMITED(memory_max_usage_in_bytes)
UNLIMITED(rss_usage_in_bytes)
UNLIMITED(cache_usage_in_bytes)
