/*
 * liblibchelper.a: the C functions that the builder's own Java classes call in an image; written from the declarations in
 * those classes. x86-64 and Linux only.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "amd64cpufeatures.h"
#include "svm_locale.h"

/*
 * ---- features of the processor: Intel's Software Developer's Manual, volume 2, CPUID; AMD's manual, volume 3 ----
 */

#define BIT(value, n) (((value) >> (n)) & 1u)

/* Which registers the operating system saves: without that, AVX and what builds on it must not be used. */
static unsigned long long saved_registers(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((unsigned long long)high << 32) | low;
}

void determineCPUFeatures(CPUFeatures *f) {
  unsigned a, b, c, d;
  unsigned highest, vendor, highest_extended, highest_7;
  unsigned a1, c1, d1;                                /* leaf 1 */
  unsigned b7 = 0, c7 = 0, d7 = 0;                    /* leaf 7 */
  unsigned a71 = 0, d71 = 0;                          /* leaf 7, subleaf 1 */
  unsigned c_ext1 = 0, d_ext1 = 0, d_ext7 = 0;        /* leaves 0x80000001 and 0x80000007 */
  unsigned long long saved = 0;

  memset(f, 0, sizeof *f);
  __cpuid(0, highest, vendor, c, d);
  __cpuid(1, a1, b, c1, d1);
  if (highest >= 7) {
    __cpuid_count(7, 0, highest_7, b7, c7, d7);
    if (highest_7 >= 1) __cpuid_count(7, 1, a71, b, c, d71);
  }
  __cpuid(0x80000000u, highest_extended, b, c, d);
  if (highest_extended >= 0x80000001u) __cpuid(0x80000001u, a, b, c_ext1, d_ext1);
  if (highest_extended >= 0x80000007u) __cpuid(0x80000007u, a, b, c, d_ext7);
  if (BIT(c1, 27)) saved = saved_registers();
  int ymm = (saved & 0x6) == 0x6, zmm = ymm && (saved & 0xe0) == 0xe0, apx = BIT(saved, 19);

  f->fCX8 = BIT(d1, 8);
  f->fCMOV = BIT(d1, 15);
  f->fFXSR = BIT(d1, 24);
  f->fHT = BIT(d1, 28);
  f->fMMX = BIT(d1, 23);
  f->fSSE = BIT(d1, 25);
  f->fSSE2 = BIT(d1, 26);
  f->fTSC = BIT(d1, 4);
  f->fFLUSH = BIT(d1, 19);
  f->fSSE3 = BIT(c1, 0);
  f->fCLMUL = BIT(c1, 1);
  f->fSSSE3 = BIT(c1, 9);
  f->fSSE4_1 = BIT(c1, 19);
  f->fSSE4_2 = BIT(c1, 20);
  f->fPOPCNT = BIT(c1, 23);
  f->fAES = BIT(c1, 25);
  f->fHV = BIT(c1, 31);
  f->fLZCNT = BIT(c_ext1, 5);
  f->fSSE4A = BIT(c_ext1, 6);
  f->fAMD_3DNOW_PREFETCH = BIT(c_ext1, 8) || BIT(d_ext1, 31);
  f->fRDTSCP = BIT(d_ext1, 27);
  f->fTSCINV_BIT = BIT(d_ext7, 8);
  f->fTSCINV = f->fTSCINV_BIT;
  f->fBMI1 = BIT(b7, 3);
  f->fBMI2 = BIT(b7, 8);
  f->fERMS = BIT(b7, 9);
  f->fRTM = BIT(b7, 11);
  f->fADX = BIT(b7, 19);
  f->fFLUSHOPT = BIT(b7, 23);
  f->fCLWB = BIT(b7, 24);
  f->fSHA = BIT(b7, 29);
  f->fPKU = BIT(c7, 3);
  f->fOSPKE = BIT(c7, 4);
  f->fCET_SS = BIT(c7, 7);
  f->fGFNI = BIT(c7, 8);
  f->fRDPID = BIT(c7, 22);
  f->fFSRM = BIT(d7, 4);
  f->fSERIALIZE = BIT(d7, 14);
  f->fCET_IBT = BIT(d7, 20);
  if (!BIT(c1, 28) || !ymm) return;

  int intel = vendor == 0x756e6547;
  unsigned family = (a1 >> 8) & 15, model = ((a1 >> 4) & 15) | ((a1 >> 12) & 0xf0);
  f->fAVX = 1;
  f->fVZEROUPPER = !(intel && family == 6 && (model == 0x57 || model == 0x85)); /* costly on Xeon Phi */
  f->fAVX2 = BIT(b7, 5);
  f->fFMA = BIT(c1, 12);
  f->fF16C = BIT(c1, 29);
  f->fAVX_IFMA = BIT(a71, 23);
  f->fSHA512 = BIT(a71, 0);
  f->fAVX512_VAES = BIT(c7, 9);
  f->fAVX512_VPCLMULQDQ = BIT(c7, 10);
  f->fAPX_F = BIT(d71, 21) && apx;
  if (!BIT(b7, 16) || !zmm) return;

  f->fAVX512F = 1;
  f->fAVX512DQ = BIT(b7, 17);
  f->fAVX512_IFMA = BIT(b7, 21);
  f->fAVX512PF = BIT(b7, 26);
  f->fAVX512ER = BIT(b7, 27);
  f->fAVX512CD = BIT(b7, 28);
  f->fAVX512BW = BIT(b7, 30);
  f->fAVX512VL = BIT(b7, 31);
  f->fAVX512_VBMI = BIT(c7, 1);
  f->fAVX512_VBMI2 = BIT(c7, 6);
  f->fAVX512_VNNI = BIT(c7, 11);
  f->fAVX512_BITALG = BIT(c7, 12);
  f->fAVX512_VPOPCNTDQ = BIT(c7, 14);
  f->fAVX512_FP16 = BIT(d7, 23);
  if (BIT(d71, 19) && highest >= 0x24) {
    __cpuid_count(0x24, 0, a, b, c, d);
    f->fAVX10_1 = (b & 0xff) >= 1;
    f->fAVX10_2 = (b & 0xff) >= 2;
  }
}

/* The mask has 0xfe for a feature that the image needs and 0xff for any other. 0: all that it needs is there. */
int checkCPUFeatures(const unsigned char *mask) {
  CPUFeatures features;
  const unsigned char *present = (const unsigned char *)&features;
  determineCPUFeatures(&features);
  for (size_t i = 0; i < sizeof features; i++)
    if ((unsigned char)(present[i] | mask[i]) != 0xff) return 1;
  return 0;
}

int checkCPUFeaturesOrExit(const unsigned char *mask, const char *message) {
  if (checkCPUFeatures(mask)) {
    fputs(message, stderr);
    exit(1);
  }
  return 0;
}

void codeSynchronization_clearCache(long start, long end) { __builtin___clear_cache((char *)start, (char *)end); }

/* ---- environment, time zone, threads ---- */

extern char **environ;

char **getEnviron(void) { return environ; }

extern char *findJavaTZ_md(const char *java_home_dir); /* of libjava */

char *SVM_FindJavaTZmd(const char *mappings, int length) {
  (void)mappings, (void)length; /* of Windows */
  return findJavaTZ_md("/");
}

int getThreadId(void) { return (int)syscall(SYS_gettid); }

/* The time that a thread has spent in its own code, in nanoseconds; -1 when there is no such thread. */
long getThreadUserTimeSlow(int thread) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  char *fields = strrchr(text, ')'); /* the end of the name, which may have anything in it */
  unsigned long ticks;
  if (!fields || sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu", &ticks) != 1) return -1;
  return (long)(ticks * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK)));
}

/* ---- variadic functions of the C library with fixed parameters, as images can call them ---- */

int openSII(const char *path, int flags, int mode) { return open(path, flags, mode); }

int openatISII(int folder, const char *path, int flags, int mode) { return openat(folder, path, flags, mode); }

void *mremapP(void *from, size_t size, size_t new_size, int flags, void *to) {
  return mremap(from, size, new_size, flags, to);
}

int fprintfSD(FILE *file, const char *format, const char *s, int d) { return fprintf(file, format, s, d); }

/* ---- locale: language_COUNTRY.codeset@variant ---- */

static svm_locale_props_t properties;

static int parse(int category, const char **language, const char **script, const char **country, const char **variant) {
  const char *name = setlocale(category, NULL);
  /* as the JDK has it */
  if (!name || !strcmp(name, "C") || !strcmp(name, "POSIX"))
    name = "en_US";
  else if (!strncmp(name, "C.", 2))
    name = "en";
  char *text = strdup(name);
  if (!text) return 0;
  char *modifier = strchr(text, '@'), *codeset = strchr(text, '.'), *region = strchr(text, '_');
  if (modifier) *modifier++ = 0;
  if (codeset) *codeset = 0;
  if (region) *region++ = 0;
  *language = text;
  *country = region ? region : "";
  *script = *variant = "";
  if (modifier && !strcasecmp(modifier, "latin")) *script = "Latn";
  if (modifier && !strcasecmp(modifier, "cyrillic")) *script = "Cyrl";
  if (modifier && !strcasecmp(modifier, "devanagari")) *script = "Deva";
  return 1;
}

int svm_initialize_locale(void) {
  setlocale(LC_ALL, "");
  int parsed = parse(LC_MESSAGES, &properties.display_language, &properties.display_script,
                     &properties.display_country, &properties.display_variant) &&
               parse(LC_CTYPE, &properties.format_language, &properties.format_script, &properties.format_country,
                     &properties.format_variant);
  return parsed ? SVM_LOCALE_INITIALIZATION_SUCCEEDED : SVM_LOCALE_INITIALIZATION_OUT_OF_MEMORY;
}

const svm_locale_props_t *svm_get_locale(void) { return &properties; }

/* ---- signals for Java's handlers: a count for each signal, and one semaphore for the thread that runs them ---- */

static sem_t signalled;
static volatile int opened;
static volatile int pending[NSIG];

int cSunMiscSignal_open(void) {
  if (!__sync_bool_compare_and_swap(&opened, 0, 1)) {
    errno = EBUSY;
    return -1;
  }
  memset((void *)pending, 0, sizeof pending);
  return sem_init(&signalled, 0, 0);
}

int cSunMiscSignal_close(void) { return __sync_bool_compare_and_swap(&opened, 1, 0) ? sem_destroy(&signalled) : 0; }

int cSunMiscSignal_awaitSemaphore(void) {
  int result;
  do result = sem_wait(&signalled);
  while (result && errno == EINTR);
  return result;
}

int cSunMiscSignal_signalSemaphore(void) { return sem_post(&signalled); }

char cSunMiscSignal_signalRangeCheck(int number) { return number >= 0 && number < NSIG; }

/* Takes one signal that came; -1 when there is none. */
int cSunMiscSignal_checkPendingSignal(void) {
  for (int number = 0; number < NSIG; number++)
    for (int count = pending[number]; count > 0; count = pending[number])
      if (__sync_bool_compare_and_swap(&pending[number], count, count - 1)) return number;
  return -1;
}

/* What it calls is safe in a signal handler. */
static void on_signal(int number) {
  int saved_errno = errno;
  if (cSunMiscSignal_signalRangeCheck(number)) {
    __sync_fetch_and_add(&pending[number], 1);
    sem_post(&signalled);
  }
  errno = saved_errno;
}

void *cSunMiscSignal_signalHandlerFunctionPointer(void) { return (void *)on_signal; }

/* ---- the attach API: images built here do not offer it ---- */

void svm_attach_startup(char *path) { (void)path; }

void svm_attach_listener_cleanup(int listener, char *path) { (void)listener, (void)path; }

char svm_attach_check_socket_file(char *path) {
  (void)path;
  return 0;
}

char svm_attach_is_init_trigger(char *path) {
  (void)path;
  return 0;
}

int svm_attach_create_listener(char *path) {
  (void)path;
  return -1;
}

int svm_attach_wait_for_request(int listener) {
  (void)listener;
  return -1;
}

void svm_attach_shutdown_socket(int listener) { (void)listener; }
