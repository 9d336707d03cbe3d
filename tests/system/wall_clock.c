/* Preloaded, it sets the wall clock of one process: by as many seconds as the file WALL_CLOCK_OFFSET has octets it is
 * behind. Every other clock, and every timer, is the machine's. (libfaketime takes absolute timers for those of the wall
 * clock, so that a timerfd never fires.)
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t behind(void)
{
    struct stat file;
    const char *name = getenv("WALL_CLOCK_OFFSET");
    return name && stat(name, &file) == 0 ? (time_t)file.st_size : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec -= behind();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact))
        return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;
    time_t found = clock_gettime(CLOCK_REALTIME, &exact) ? (time_t)-1 : exact.tv_sec;
    if (now)
        *now = found;
    return found;
}
