/* Reads a generator by libmodbus and turns it off, by docs/protocols/modbus.md alone.
 *
 *   libmodbus_client tcp HOST PORT
 *   libmodbus_client rtu PATH BAUD
 *
 * Writes one line for each thing it read. Ends with 1 when something is refused or lost.
 */
#include <errno.h>
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static modbus_t *generator;

static void require(int done, int wanted, const char *what) {
    if (done != wanted) {
        fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
        exit(1);
    }
}

static void read_inputs(int address, int count, uint16_t *into, const char *what) {
    require(modbus_read_input_registers(generator, address, count, into), count, what);
}

int main(int argc, char **argv) {
    uint16_t words[16];
    char serial[17] = "";

    if (argc != 4) return 2;
    generator = strcmp(argv[1], "tcp") == 0 ? modbus_new_tcp(argv[2], atoi(argv[3]))
                                            : modbus_new_rtu(argv[2], atoi(argv[3]), 'N', 8, 1);
    if (generator == NULL) return 2;
    modbus_set_slave(generator, 1);
    modbus_set_response_timeout(generator, 5, 0);
    require(modbus_connect(generator), 0, "connect");

    read_inputs(0, 8, words, "identity");
    printf("map_id %04X%04X\nmajor %d\n", words[0], words[1], words[2] >> 8);
    printf("probe_f32 %.1f\n", modbus_get_float_abcd(words + 6));
    read_inputs(16, 8, words, "serial");
    for (int i = 0; i < 8; i++) {
        serial[2 * i] = (char)(words[i] >> 8);
        serial[2 * i + 1] = (char)(words[i] & 0xFF);
    }
    printf("serial %s\n", serial);
    read_inputs(80, 14, words, "channel 1");
    printf("temperature_c %.1f\nimpedance_ohm %.1f\n", modbus_get_float_abcd(words), modbus_get_float_abcd(words + 12));

    require(modbus_write_register(generator, 0, 1), 1, "all off");
    printf("off\n");
    read_inputs(72, 1, words, "rf_actual");
    printf("rf_actual %d\n", words[0]);
    /* Nobody owns it, so this must be refused. */
    printf("mode %s\n", modbus_write_register(generator, 18, 3) == -1 ? modbus_strerror(errno) : "accepted");
    modbus_close(generator);
    modbus_free(generator);
    return 0;
}
