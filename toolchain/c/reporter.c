/* libreporterchelper.so: two numbers for the builder's own report of its progress. */
#include <jni.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define REPORTER(name) Java_com_oracle_svm_hosted_ProgressReporterCHelper_##name

JNIEXPORT jlong JNICALL REPORTER(getPeakRSS0)(JNIEnv *env, jclass class) {
  struct rusage usage;
  (void)env, (void)class;
  return getrusage(RUSAGE_SELF, &usage) ? -1 : (jlong)usage.ru_maxrss * 1024;
}

JNIEXPORT jint JNICALL REPORTER(getTerminalWindowColumns0)(JNIEnv *env, jclass class) {
  struct winsize size;
  (void)env, (void)class;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? -1 : size.ws_col;
}
