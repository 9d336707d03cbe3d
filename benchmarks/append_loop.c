/* The least that a durable record costs: write and fdatasync, one after the other. FILE COUNT BYTES; prints ns. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    long count = atol(argv[2]), bytes = atol(argv[3]);
    char *record = malloc(bytes);
    int file = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
    if (record == NULL || file < 0)
        return 1;
    memset(record, 'x', bytes);
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long i = 0; i < count; i++)
        if (write(file, record, bytes) != bytes || fdatasync(file) != 0)
            return 1;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%lld\n", (ended.tv_sec - begun.tv_sec) * 1000000000LL + ended.tv_nsec - begun.tv_nsec);
    return 0;
}
