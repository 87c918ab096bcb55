/*
 * libjvm.a: the few functions of the virtual machine that the JDK's native code calls in an image. All others abort with
 * their names (assemble.sh makes them).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <jni.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void unavailable(const char *function) {
  fprintf(stderr, "%s is not available in a native image\n", function);
  abort();
}

void initialize(void) {}

/* ---- the machine ---- */

jint JVM_ActiveProcessorCount(void) {
  cpu_set_t set;
  if (!sched_getaffinity(0, sizeof set, &set)) return CPU_COUNT(&set);
  return (jint)sysconf(_SC_NPROCESSORS_ONLN);
}

jboolean JVM_IsUseContainerSupport(void) { return JNI_FALSE; }

jboolean JVM_IsContainerized(void) { return JNI_FALSE; }

jstring JVM_GetTemporaryDirectory(JNIEnv *env) { return (*env)->NewStringUTF(env, "/tmp"); }

/* ---- time ---- */

jlong JVM_CurrentTimeMillis(JNIEnv *env, jclass class) {
  struct timespec now;
  (void)env, (void)class;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

jlong JVM_NanoTime(JNIEnv *env, jclass class) {
  struct timespec now;
  (void)env, (void)class;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The nanoseconds since the second "offset" of the epoch; -1 when that is too far away for the caller's arithmetic. */
jlong JVM_GetNanoTimeAdjustment(JNIEnv *env, jclass class, jlong offset) {
  struct timespec now;
  (void)env, (void)class;
  clock_gettime(CLOCK_REALTIME, &now);
  jlong seconds = now.tv_sec - offset;
  if (seconds > 0x100000000LL || seconds < -0x100000000LL) return -1;
  return seconds * 1000000000LL + now.tv_nsec;
}

/* ---- the end ---- */

void JVM_BeforeHalt(void) {}

void JVM_Halt(jint status) { exit(status); }

/* ---- native libraries ---- */

jboolean JVM_IsSupportedJNIVersion(jint version) {
  (void)version;
  return JNI_TRUE;
}

char *JVM_NativePath(char *path) { return path; }

void *JVM_LoadLibrary(const char *name, jboolean throw_exception) {
  (void)throw_exception;
  return dlopen(name, RTLD_LAZY);
}

void JVM_UnloadLibrary(void *library) { dlclose(library); }

void *JVM_FindLibraryEntry(void *library, const char *name) { return dlsym(library, name); }

void *JVM_LoadZipLibrary(void) { return NULL; /* it is linked in */ }

/* ---- monitors of libzip ---- */

void *JVM_RawMonitorCreate(void) {
  pthread_mutex_t *monitor = malloc(sizeof *monitor);
  if (monitor) pthread_mutex_init(monitor, NULL);
  return monitor;
}

void JVM_RawMonitorDestroy(void *monitor) {
  pthread_mutex_destroy(monitor);
  free(monitor);
}

jint JVM_RawMonitorEnter(void *monitor) { return pthread_mutex_lock(monitor); }

void JVM_RawMonitorExit(void *monitor) { pthread_mutex_unlock(monitor); }

/* ---- printing; -1 where the C library returns the length that would have been needed ---- */

int jio_vsnprintf(char *to, size_t size, const char *format, va_list arguments) {
  if ((long)size <= 0) return -1;
  int length = vsnprintf(to, size, format, arguments);
  if (length >= 0 && (size_t)length < size) return length;
  to[size - 1] = 0;
  return -1;
}

int jio_snprintf(char *to, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = jio_vsnprintf(to, size, format, arguments);
  va_end(arguments);
  return length;
}

int jio_vfprintf(FILE *file, const char *format, va_list arguments) { return vfprintf(file, format, arguments); }

int jio_fprintf(FILE *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vfprintf(file, format, arguments);
  va_end(arguments);
  return length;
}
