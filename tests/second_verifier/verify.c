/* A second verifier of record format 1, written from docs/formats/record.md alone, to see whether the page is enough.

   verify KEYFILE < LIST: each line of the list is a folder and any number of files with heads, separated by tabs. For
   each line it prints the verdict, the number of records and the first bad seq (or -), separated by spaces. */

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef unsigned char byte;
typedef struct { const byte *at, *end; } span; /* some bytes that stand elsewhere */
typedef struct { byte *bytes; size_t size; } file;
typedef struct { byte is[32]; } hash;
typedef struct { uint64_t size; hash peaks[64]; int count; } tree;

enum { MAX_BODY = 1 << 20, MAX_LEVELS = 32, MAX_NOTE = 4096, MAX_ORIGIN = 140 };
static const char *const NOTHING_MAY_COME = "-";

/* ---- what is known of the log that is being verified ------------------------------------------------------------ */

typedef struct { byte id[4], key[32]; } epoch_key;
typedef struct { hash text; int countersigned; } chained;
typedef struct { uint64_t size; hash root; } boundary;
typedef struct { uint64_t size; byte root[32]; size_t root_bytes; file note; } head;

static char origin[MAX_ORIGIN + 1];
static byte root_key[32], root_id[4];

static struct {
    const char *folder;
    uint64_t first, end, records, start, segment_seq, covered, epoch, first_epoch, anomalies, index;
    int torn, closed, closing, sealed, must_recover, have_note, have_key, pending, anchored, forked, diverged;
    uint64_t pending_seq;
    hash pending_text, prev, last_note;
    int have_retired, retired_seen, unsigned_, simulated;
    uint64_t unsigned_at;
    uint64_t retired_at, retired_size;
    hash retired_root;
    tree leaves;
    const char *wanted; /* the kind that has to come; NULL for any that may stand anywhere */
    byte key[32], key_id[4];
    epoch_key *keys;
    chained *chained;
    boundary *boundaries;
    size_t keys_n, chained_n, boundaries_n;
    file chunk;
    size_t chunk_at;
    char boot[37];
    int64_t mono, boottime, wall;
    int have_checkpoint;
    uint64_t checkpoint_epoch;
    char checkpoint_boot[37];
    int64_t checkpoint_mono;
    char **names;
    size_t names_n;
    head *heads;
    size_t heads_n, heads_seen;
} log_;

static jmp_buf done;
static char verdict[64];

static _Noreturn void say(const char *word, uint64_t records, int64_t bad) {
    char seq[24] = "-";
    if (log_.unsigned_) { /* and no later checkpoint of the epoch made up for it */
        word = "MODIFIED";
        records = log_.unsigned_at;
        bad = (int64_t)records;
    }
    if (bad >= 0) snprintf(seq, sizeof seq, "%lld", (long long)bad);
    snprintf(verdict, sizeof verdict, "%s %llu %s", word, (unsigned long long)records, seq);
    longjmp(done, 1);
}

static _Noreturn void bad_record(const char *word, uint64_t seq) { say(word, seq, (int64_t)seq); }
static _Noreturn void modified(void) { bad_record("MODIFIED", log_.records); }
static _Noreturn void modified_nowhere(void) { say("MODIFIED", log_.records, -1); }
static _Noreturn void key_invalid(void) { bad_record("KEY-INVALID", log_.records); }

static _Noreturn void unusable(const char *what, const char *path) {
    fprintf(stderr, "verify: %s: %s\n", path, what);
    exit(2);
}

static void *grown(void *list, size_t count, size_t size) {
    if (count & (count - 1)) return list; /* full only at powers of two */
    list = realloc(list, (count ? 2 * count : 1) * size);
    if (!list) unusable("no memory", log_.folder);
    return list;
}

/* ---- hashes, trees, signatures ---------------------------------------------------------------------------------- */

static hash hash_of(const void *bytes, size_t size) {
    hash found;
    SHA256(bytes, size, found.is);
    return found;
}

static hash hash_behind(byte first, const void *bytes, size_t size) {
    byte *whole = malloc(size + 1);
    whole[0] = first;
    memcpy(whole + 1, bytes, size);
    hash found = hash_of(whole, size + 1);
    free(whole);
    return found;
}

static hash node(hash left, hash right) {
    byte both[64];
    memcpy(both, left.is, 32);
    memcpy(both + 32, right.is, 32);
    return hash_behind(1, both, 64);
}

static int same(hash a, hash b) { return !memcmp(a.is, b.is, 32); }

static void append(tree *of, hash leaf) {
    for (uint64_t size = of->size++; size & 1; size >>= 1) leaf = node(of->peaks[--of->count], leaf);
    of->peaks[of->count++] = leaf;
}

static hash root(const tree *of) {
    if (!of->count) return hash_of("", 0);
    hash found = of->peaks[of->count - 1];
    for (int i = of->count - 2; i >= 0; i--) found = node(of->peaks[i], found);
    return found;
}

static int signed_by(const byte key[32], const byte *signature, span text) {
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = public && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
               EVP_DigestVerify(context, signature, 64, text.at, (size_t)(text.end - text.at)) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

static void key_id_of(const char *name, byte kind, const byte key[32], byte id[4]) {
    byte whole[MAX_ORIGIN + 34];
    size_t size = strlen(name);
    memcpy(whole, name, size);
    whole[size] = '\n';
    whole[size + 1] = kind;
    memcpy(whole + size + 2, key, 32);
    memcpy(id, hash_of(whole, size + 34).is, 4);
}

/* ---- reading forms ---------------------------------------------------------------------------------------------- */

static size_t size_of(span s) { return (size_t)(s.end - s.at); }
static int is_digit(int c) { return c >= '0' && c <= '9'; }
static int is_hex(int c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

static int literal(span *in, const char *text) {
    size_t size = strlen(text);
    if (size_of(*in) < size || memcmp(in->at, text, size)) return 0;
    in->at += size;
    return 1;
}

static int equals(span s, const char *text) { return literal(&s, text) && s.at == s.end; }

/* A number without leading zeros, of at most so many digits. */
static int number(span *in, int digits, uint64_t *value) {
    const byte *begin = in->at;
    *value = 0;
    while (in->at < in->end && is_digit(*in->at) && in->at - begin < digits) *value = *value * 10 + (*in->at++ - '0');
    return in->at > begin && (*begin != '0' || in->at - begin == 1) && !(in->at < in->end && is_digit(*in->at));
}

static int hex(span *in, byte *bytes, size_t size) {
    if (size_of(*in) < 2 * size) return 0;
    for (size_t i = 0; i < 2 * size; i++) {
        int c = in->at[i];
        if (!is_hex(c)) return 0;
        int value = is_digit(c) ? c - '0' : c - 'a' + 10;
        bytes[i / 2] = (byte)(i % 2 ? bytes[i / 2] | value : value << 4);
    }
    in->at += 2 * size;
    return 1;
}

static int hex_hash(span *in, hash *into) { return hex(in, into->is, 32); }

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Canonical base64: the number of bytes, or -1. */
static long base64(span text, byte *into, size_t room) {
    size_t size = size_of(text), padding = 0, bytes = 0;
    if (size % 4 || size / 4 * 3 > room + 2) return -1;
    while (padding < 2 && size > padding && text.end[-1 - (long)padding] == '=') padding++;
    uint32_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        const char *place = i >= size - padding ? ALPHABET : text.at[i] ? strchr(ALPHABET, text.at[i]) : NULL;
        if (!place) return -1;
        bits = bits << 6 | (uint32_t)(place - ALPHABET);
        if (i % 4 < 3) continue;
        size_t here = i + 1 == size ? 3 - padding : 3;
        if (here < 3 && (bits & ((1u << 8 * (3 - here)) - 1))) return -1;
        if (bytes + here > room) return -1;
        for (size_t j = 0; j < here; j++) into[bytes++] = (byte)(bits >> (16 - 8 * j));
        bits = 0;
    }
    return (long)bytes;
}

/* Up to the next byte of this kind, which is stepped over. */
static int until(span *in, byte stop, span *found) {
    const byte *place = memchr(in->at, stop, size_of(*in));
    if (!place) return 0;
    *found = (span){in->at, place};
    in->at = place + 1;
    return 1;
}

static int days(int year, int month, int day) { /* since 1970-01-01, proleptic Gregorian */
    year -= month <= 2;
    int era = year / 400, of_era = year % 400, of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* YYYY-MM-DDThh:mm:ss as seconds since 1970. */
static int second(span *in, int64_t *value) {
    static const char FORM[] = "dddd-dd-ddTdd:dd:dd";
    int fields[6] = {0}, field = 0;
    if (size_of(*in) < 19) return 0;
    for (int i = 0; i < 19; i++) {
        int c = in->at[i];
        if (FORM[i] == 'd') {
            if (!is_digit(c)) return 0;
            fields[field] = fields[field] * 10 + c - '0';
        } else if (c != FORM[i]) {
            return 0;
        } else {
            field++;
        }
    }
    in->at += 19;
    if (fields[0] < 1970 || fields[1] < 1 || fields[1] > 12 || fields[2] < 1 || fields[2] > 31) return 0;
    if (fields[3] > 23 || fields[4] > 59 || fields[5] > 59) return 0;
    *value = days(fields[0], fields[1], fields[2]) * INT64_C(86400) + fields[3] * 3600 + fields[4] * 60 + fields[5];
    return 1;
}

/* ---- strict JSON ------------------------------------------------------------------------------------------------ */

static void spaces(span *in) {
    while (in->at < in->end && *in->at == ' ') in->at++;
}

/* What stands between the quotes; the first quote has been read. */
static int string(span *in, span *inside) {
    inside->at = in->at;
    while (in->at < in->end && *in->at != '"') {
        int c = *in->at++;
        if (c < 0x20 || c > 0x7e) return 0;
        if (c != '\\') continue;
        if (in->at == in->end) return 0;
        c = *in->at++;
        if (!c || !strchr("\"\\/bfnrtu", c)) return 0;
        for (int i = 0; c == 'u' && i < 4; i++) {
            if (in->at == in->end || !(is_hex(*in->at | 0x20) || is_digit(*in->at))) return 0;
            in->at++;
        }
    }
    inside->end = in->at;
    return literal(in, "\"");
}

static int digits(span *in) {
    const byte *begin = in->at;
    while (in->at < in->end && is_digit(*in->at)) in->at++;
    return in->at > begin;
}

static int json_number(span *in) {
    literal(in, "-");
    if (!literal(in, "0") && !digits(in)) return 0;
    if (literal(in, ".") && !digits(in)) return 0;
    if (literal(in, "e") || literal(in, "E")) {
        if (!literal(in, "+")) literal(in, "-");
        if (!digits(in)) return 0;
    }
    return 1;
}

static int by_text(const void *a, const void *b) {
    const span *x = a, *y = b;
    size_t shorter = size_of(*x) < size_of(*y) ? size_of(*x) : size_of(*y);
    int order = memcmp(x->at, y->at, shorter);
    return order ? order : (size_of(*x) > size_of(*y)) - (size_of(*x) < size_of(*y));
}

static int value(span *in, int levels);

static int object(span *in, int levels) {
    span *names = NULL;
    size_t count = 0;
    int good = 0;
    spaces(in);
    if (literal(in, "}")) return 1;
    for (;;) {
        spaces(in);
        names = grown(names, count, sizeof *names);
        if (!literal(in, "\"") || !string(in, &names[count])) break;
        if (memchr(names[count].at, '\\', size_of(names[count]))) break;
        count++;
        spaces(in);
        if (!literal(in, ":") || !value(in, levels)) break;
        spaces(in);
        if (literal(in, ",")) continue;
        good = literal(in, "}");
        break;
    }
    if (count) qsort(names, count, sizeof *names, by_text);
    for (size_t i = 1; good && i < count; i++) good = by_text(&names[i - 1], &names[i]) != 0;
    free(names);
    return good;
}

static int array(span *in, int levels) {
    spaces(in);
    if (literal(in, "]")) return 1;
    for (;;) {
        if (!value(in, levels)) return 0;
        spaces(in);
        if (literal(in, ",")) continue;
        return literal(in, "]");
    }
}

/* One value, with so many levels of objects and arrays left. */
static int value(span *in, int levels) {
    span inside;
    spaces(in);
    if (literal(in, "{")) return levels > 0 && object(in, levels - 1);
    if (literal(in, "[")) return levels > 0 && array(in, levels - 1);
    if (literal(in, "\"")) return string(in, &inside);
    return literal(in, "true") || literal(in, "false") || literal(in, "null") || json_number(in);
}

static int whole_object(span text, int levels) {
    return text.at < text.end && *text.at == '{' && value(&text, levels) && text.at == text.end;
}

/* ---- signed notes ----------------------------------------------------------------------------------------------- */

typedef struct {
    byte bytes[MAX_NOTE];
    size_t size;
    span text, name;
    byte id[4], signature[64];
} note;

static int is_name(span s) {
    if (size_of(s) < 1 || size_of(s) > MAX_ORIGIN) return 0;
    for (const byte *c = s.at; c < s.end; c++)
        if (*c < 0x21 || *c > 0x7e || *c == '+') return 0;
    return 1;
}

static int read_note(span text64, note *into) {
    long size = base64(text64, into->bytes, MAX_NOTE);
    if (size < 0) return 0;
    into->size = (size_t)size;
    const byte *split = NULL, *end = into->bytes + size;
    for (const byte *c = into->bytes; c + 1 < end; c++)
        if (c[0] == '\n' && c[1] == '\n') split = c;
    if (!split || split == into->bytes) return 0;
    into->text = (span){into->bytes, split + 1};
    for (const byte *c = into->bytes; c < into->text.end; c++)
        if (*c != '\n' && (*c < 0x20 || *c > 0x7e)) return 0;
    span tail = {split + 2, end}, signature;
    byte decoded[70];
    if (!literal(&tail, "\xe2\x80\x94 ") || !until(&tail, ' ', &into->name) || !is_name(into->name)) return 0;
    if (!until(&tail, '\n', &signature) || tail.at != tail.end || base64(signature, decoded, 70) != 68) return 0;
    memcpy(into->id, decoded, 4);
    memcpy(into->signature, decoded + 4, 64);
    return 1;
}

static int line_hash(span line, hash *into) { return base64(line, into->is, 32) == 32; }

static int of_this_log(span name) { return equals(name, origin); }

typedef struct { span origin; uint64_t size; hash root, binding; } checkpoint;

static int read_checkpoint(span text, checkpoint *into, int lines) {
    span line;
    if (!until(&text, '\n', &into->origin) || !is_name(into->origin)) return 0;
    if (!until(&text, '\n', &line) || !number(&line, 15, &into->size) || line.at != line.end) return 0;
    if (!until(&text, '\n', &line) || !line_hash(line, &into->root)) return 0;
    if (lines == 4 && (!until(&text, '\n', &line) || !line_hash(line, &into->binding))) return 0;
    return lines != 4 || text.at == text.end;
}

typedef struct {
    span origin;
    uint64_t epoch, start;
    int any_start, any_prev, no_prev, never;
    byte key[32];
    hash prev;
    int64_t not_before, not_after;
} certificate;

static int moment(span line, int64_t *into) { return second(&line, into) && equals(line, "Z"); }

static int read_certificate(span text, certificate *into) {
    span line;
    hash key;
    if (!literal(&text, "rfctl-epoch-v1\n") || !until(&text, '\n', &into->origin) || !is_name(into->origin)) return 0;
    if (!literal(&text, "epoch ") || !number(&text, 15, &into->epoch) || !into->epoch) return 0;
    if (!literal(&text, "\nkey ") || !until(&text, '\n', &line) || !line_hash(line, &key)) return 0;
    memcpy(into->key, key.is, 32);
    if (!literal(&text, "start ") || !until(&text, '\n', &line)) return 0;
    into->any_start = equals(line, "any");
    if (!into->any_start && (!number(&line, 15, &into->start) || line.at != line.end)) return 0;
    if (!literal(&text, "prev ") || !until(&text, '\n', &line)) return 0;
    into->any_prev = equals(line, "any");
    into->no_prev = equals(line, "none");
    if (!into->any_prev && !into->no_prev && !line_hash(line, &into->prev)) return 0;
    if (!literal(&text, "not-before ") || !until(&text, '\n', &line) || !moment(line, &into->not_before)) return 0;
    if (!literal(&text, "not-after ") || !until(&text, '\n', &line)) return 0;
    into->never = equals(line, "never");
    return (into->never || moment(line, &into->not_after)) && text.at == text.end;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static file load(const char *path) {
    file found = {NULL, 0};
    struct stat about;
    FILE *stream = fopen(path, "rb");
    if (!stream || fstat(fileno(stream), &about)) unusable("cannot be read", path);
    found.bytes = malloc((size_t)about.st_size + 1);
    found.size = fread(found.bytes, 1, (size_t)about.st_size, stream);
    fclose(stream);
    return found;
}

static file load_named(const char *form, uint64_t index) {
    char path[4096], name[32];
    snprintf(name, sizeof name, form, (unsigned long long)index);
    snprintf(path, sizeof path, "%s/%s", log_.folder, name);
    return load(path);
}

static int has(const char *form, uint64_t index) {
    char name[32];
    snprintf(name, sizeof name, form, (unsigned long long)index);
    for (size_t i = 0; i < log_.names_n; i++)
        if (!strcmp(log_.names[i], name)) return 1;
    return 0;
}

#define SEG "%08llu.seg"
#define CHUNK "%08llu.chunk"
#define SEG_TORN "%08llu.seg.torn"
#define CHUNK_TORN "%08llu.chunk.torn"

static void read_retired(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/retired.json", log_.folder);
    file stub = load(path);
    span in = {stub.bytes, stub.bytes + stub.size};
    uint64_t segments, size, epoch;
    hash last_leaf, last_checkpoint, stated;
    tree *leaves = &log_.leaves;
    if (!literal(&in, "{\"segments\":") || !number(&in, 15, &segments) || !literal(&in, ",\"size\":") ||
        !number(&in, 15, &size) || !literal(&in, ",\"epoch\":") || !number(&in, 15, &epoch) ||
        !literal(&in, ",\"root\":\"") || !hex_hash(&in, &stated) || !literal(&in, "\",\"last_leaf\":\"") ||
        !hex_hash(&in, &last_leaf) || !literal(&in, "\",\"last_checkpoint\":\"") || !hex_hash(&in, &last_checkpoint) ||
        !literal(&in, "\",\"nodes\":["))
        modified_nowhere();
    do {
        if (leaves->count == 64 || !literal(&in, "\"") || !hex_hash(&in, &leaves->peaks[leaves->count++]) ||
            !literal(&in, "\""))
            modified_nowhere();
    } while (literal(&in, ","));
    if (!literal(&in, "]}\n") || in.at != in.end) modified_nowhere();
    if (!segments || !epoch || __builtin_popcountll(size) != leaves->count || !same(root(leaves), stated))
        modified_nowhere();
    leaves->size = size;
    free(stub.bytes);
    log_.have_retired = 1;
    log_.first = segments;
    log_.retired_size = size;
    log_.retired_root = stated;
    log_.epoch = epoch;
    log_.prev = last_leaf;
    log_.last_note = last_checkpoint;
    log_.have_note = 1;
}

static uint64_t number_of(const char *name) { return strtoull(name, NULL, 10); }

static void list_folder(void) {
    DIR *folder = opendir(log_.folder);
    if (!folder) unusable("cannot be read", log_.folder);
    struct dirent *entry;
    int retired = 0, foreign = 0;
    while ((entry = readdir(folder))) {
        char path[4096];
        struct stat about;
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        snprintf(path, sizeof path, "%s/%s", log_.folder, name);
        if (lstat(path, &about) || !S_ISREG(about.st_mode)) {
            foreign = 1;
            continue;
        }
        if (!strcmp(name, "retired.json")) {
            retired = 1;
            continue;
        }
        const char *rest = name + strspn(name, "0123456789");
        int known = !strcmp(rest, ".seg") || !strcmp(rest, ".chunk") || !strcmp(rest, ".seg.torn") ||
                    !strcmp(rest, ".chunk.torn");
        if (rest - name != 8 || !known) {
            foreign = 1;
            continue;
        }
        log_.names = grown(log_.names, log_.names_n, sizeof *log_.names);
        log_.names[log_.names_n++] = strdup(name);
    }
    closedir(folder);
    if (foreign) modified_nowhere();
    if (retired) read_retired();
    uint64_t segments = 0, highest = 0;
    for (size_t i = 0; i < log_.names_n; i++) {
        uint64_t index = number_of(log_.names[i]);
        if (index < log_.first) modified_nowhere();
        if (!strcmp(log_.names[i] + 8, ".seg")) {
            segments++;
            if (index >= log_.end) log_.end = index + 1;
        }
        if (index > highest) highest = index;
    }
    if (!segments || log_.end - log_.first != segments) say("CORRUPT", 0, -1);
    if (highest >= log_.end) modified_nowhere();
}

/* ---- clocks ----------------------------------------------------------------------------------------------------- */

static const int64_t SECOND = INT64_C(1000000000);

static void look_at_clocks(const char *boot, int64_t mono, int64_t boottime, int64_t wall, int simulated, int is_clock,
                           int begins_epoch) {
    int same_boot = !strcmp(boot, log_.boot);
    int64_t passed = boottime - log_.boottime, wall_passed = wall - log_.wall;
    if (same_boot && (mono < log_.mono || passed < 0)) log_.anomalies++;
    if (same_boot && !is_clock && !begins_epoch) {
        if (llabs(passed - (mono - log_.mono)) > SECOND) log_.anomalies++;
        if (llabs(wall_passed - passed) > SECOND) log_.anomalies++;
    }
    if (*log_.boot && (!same_boot || begins_epoch) && -wall_passed > SECOND && !simulated && !log_.simulated)
        log_.anomalies++;
    strcpy(log_.boot, boot);
    log_.mono = mono;
    log_.boottime = boottime;
    log_.wall = wall;
    log_.simulated = simulated;
}

static void look_at_gap(const char *boot, int64_t mono) {
    if (log_.have_checkpoint && log_.checkpoint_epoch == log_.epoch && !strcmp(log_.checkpoint_boot, boot) &&
        mono - log_.checkpoint_mono > 120 * SECOND)
        log_.anomalies++;
    log_.have_checkpoint = 1;
    log_.checkpoint_epoch = log_.epoch;
    strcpy(log_.checkpoint_boot, boot);
    log_.checkpoint_mono = mono;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

typedef struct {
    span whole, kind, payload;
    uint64_t seq, epoch;
    char boot[37];
    uint64_t mono, boottime;
    int64_t wall;
    int simulated;
    hash prev;
} record;

static int read_record(span body, record *into) {
    span in = body, actor, state;
    *into = (record){.whole = body};
    if (!literal(&in, "{\"seq\":") || !number(&in, 15, &into->seq) || !literal(&in, ",\"epoch\":") ||
        !number(&in, 15, &into->epoch) || !into->epoch || !literal(&in, ",\"boot_id\":\"") || size_of(in) < 36)
        return 0;
    for (int i = 0; i < 36; i++) {
        if (!is_hex(*in.at) && *in.at != '-') return 0;
        into->boot[i] = (char)*in.at++;
    }
    if (!literal(&in, "\",\"mono_ns\":\"") || !number(&in, 18, &into->mono) || !literal(&in, "\",\"boottime_ns\":\"") ||
        !number(&in, 18, &into->boottime) || !literal(&in, "\",\"wall\":\"") || !second(&in, &into->wall) ||
        !literal(&in, ".") || size_of(in) < 6)
        return 0;
    int64_t microseconds = 0;
    for (int i = 0; i < 6; i++) {
        if (!is_digit(*in.at)) return 0;
        microseconds = microseconds * 10 + *in.at++ - '0';
    }
    into->wall = into->wall * SECOND + microseconds * 1000;
    if (!literal(&in, "Z\",\"wall_sync_state\":\"") || !until(&in, '"', &state)) return 0;
    if (size_of(state) < 1 || size_of(state) > 16) return 0;
    for (const byte *c = state.at; c < state.end; c++)
        if (*c < 'a' || *c > 'z') return 0;
    into->simulated = equals(state, "simulated");
    if (!literal(&in, ",\"kind\":\"") || !until(&in, '"', &into->kind)) return 0;
    if (size_of(into->kind) < 1 || size_of(into->kind) > 32 || is_digit(*into->kind.at) || *into->kind.at == '_')
        return 0;
    for (const byte *c = into->kind.at; c < into->kind.end; c++)
        if (!((*c >= 'a' && *c <= 'z') || is_digit(*c) || *c == '_')) return 0;
    if (!literal(&in, ",\"actor\":\"") || !string(&in, &actor) || size_of(actor) > 400) return 0;
    if (!literal(&in, ",\"backend\":\"simulated\"") && !literal(&in, ",\"backend\":\"device\"")) return 0;
    if (!literal(&in, ",\"payload\":") || size_of(in) < 77) return 0;
    span tail = {body.end - 75, body.end};
    into->payload = (span){in.at, tail.at};
    if (!literal(&tail, ",\"prev\":\"") || !hex_hash(&tail, &into->prev) || !equals(tail, "\"}")) return 0;
    if (*into->payload.at != '{' || into->payload.end[-1] != '}') return 0;
    for (const byte *c = into->payload.at; c < into->payload.end; c++)
        if (*c < 0x20 || *c > 0x7e) return 0;
    return 1;
}

/* Whether the payload is this JSON: %n a number, %h a hash in hex, %b base64 of a note, %s a string, %o an object as its
   last member, %d digits with or without a sign, %w a word. What they hold goes to the pointers. */
static int payload_is(span in, const char *form, ...) {
    va_list into;
    va_start(into, form);
    int good = 1;
    for (; good && *form; form++) {
        span inside;
        if (*form != '%') {
            good = in.at < in.end && *in.at == (byte)(*form == '\'' ? '"' : *form);
            in.at++;
            continue;
        }
        switch (*++form) {
        case 'n': good = number(&in, 15, va_arg(into, uint64_t *)); break;
        case 'h': good = hex_hash(&in, va_arg(into, hash *)); break;
        case 's': good = string(&in, va_arg(into, span *)) && *--in.at == '"'; break;
        case 'o':
            *va_arg(into, span *) = (span){in.at, in.end - 1};
            in.at = in.end - 1;
            break;
        case 'b':
            good = until(&in, '"', va_arg(into, span *));
            in.at--;
            break;
        case 'd':
            literal(&in, "-");
            inside.at = in.at;
            good = digits(&in) && in.at - inside.at <= 18;
            break;
        case 'w':
            for (inside.at = in.at; in.at < in.end && ((*in.at >= 'a' && *in.at <= 'z') || *in.at == '_');) in.at++;
            good = in.at > inside.at && in.at - inside.at <= 32;
            break;
        }
    }
    va_end(into);
    return good && in.at == in.end;
}

static void segment_record(const record *r) {
    span named, about;
    uint64_t index, size;
    hash stated;
    if (!payload_is(r->payload,
                    "{'format':'rfctl-record-1','origin':'%s','index':%n,'size':%n,'root':'%h','about':%o}", &named,
                    &index, &size, &stated, &about))
        modified();
    span rest = named;
    if (!is_name(named) || size_of(named) > 126 || memchr(named.at, '\\', size_of(named)) ||
        !literal(&rest, "rfctl/") || rest.at == rest.end)
        modified();
    if (!whole_object(about, MAX_LEVELS - 1)) modified();
    if (!of_this_log(named)) key_invalid();
    if (index != log_.index || size != log_.records || !same(stated, root(&log_.leaves))) modified();
    int new_epoch = r->epoch == log_.epoch + 1;
    int must = log_.epoch == 0 || log_.must_recover || log_.records == log_.start;
    if (!new_epoch && (must || r->epoch != log_.epoch)) modified();
    log_.boundaries = grown(log_.boundaries, log_.boundaries_n, sizeof *log_.boundaries);
    log_.boundaries[log_.boundaries_n++] = (boundary){size, stated};
    log_.epoch = r->epoch;
    log_.wanted = new_epoch ? "epoch" : NULL;
}

static void read_certificate_record(const record *r, note *signed_, certificate *into) {
    span text64;
    if (!payload_is(r->payload, "{'certificate':'%b'}", &text64)) modified();
    if (!read_note(text64, signed_) || !read_certificate(signed_->text, into)) modified();
    if (!of_this_log(into->origin) || !of_this_log(signed_->name)) key_invalid();
}

static void epoch_record(const record *r) {
    note signed_;
    certificate found = {0};
    if (log_.unsigned_) modified();
    read_certificate_record(r, &signed_, &found);
    if (found.epoch != log_.epoch) key_invalid();
    if (!found.any_start && found.start != log_.segment_seq) key_invalid();
    if (!found.any_prev && (log_.have_note ? found.no_prev || !same(found.prev, log_.last_note) : !found.no_prev))
        key_invalid();
    if (!memcmp(signed_.id, root_id, 4)) {
        if (!signed_by(root_key, signed_.signature, signed_.text)) key_invalid();
    } else {
        if (found.any_start || found.any_prev) key_invalid();
        hash text = hash_of(signed_.text.at, size_of(signed_.text));
        if (log_.have_key) {
            if (memcmp(signed_.id, log_.key_id, 4) || !signed_by(log_.key, signed_.signature, signed_.text))
                key_invalid();
        } else if (log_.have_retired) {
            log_.pending = 1;
            log_.pending_seq = log_.records;
            log_.pending_text = text;
        } else {
            key_invalid();
        }
        log_.chained = grown(log_.chained, log_.chained_n, sizeof *log_.chained);
        log_.chained[log_.chained_n++] = (chained){text, 0};
    }
    if (r->wall < found.not_before * SECOND) log_.anomalies++;
    if (!found.never && r->wall > found.not_after * SECOND) log_.anomalies++;
    log_.have_key = 1;
    memcpy(log_.key, found.key, 32);
    key_id_of(origin, 1, found.key, log_.key_id);
    log_.keys = grown(log_.keys, log_.keys_n, sizeof *log_.keys);
    memcpy(log_.keys[log_.keys_n].id, log_.key_id, 4);
    memcpy(log_.keys[log_.keys_n++].key, found.key, 32);
    log_.wanted = log_.must_recover ? "recovered" : NULL;
    log_.must_recover = 0;
}

static void compare_torn(const char *form, uint64_t index, uint64_t size, hash stated) {
    if (!has(form, index)) return;
    file torn = load_named(form, index);
    hash found = hash_of(torn.bytes, torn.size);
    free(torn.bytes);
    if (torn.size != size || !same(found, stated)) modified();
}

static void recovered_record(const record *r) {
    uint64_t index, size, chunk_size;
    hash found, chunk;
    span error;
    if (!payload_is(r->payload,
                    "{'segment':%n,'torn_bytes':%n,'torn_sha256':'%h','torn_chunk_bytes':%n,'torn_chunk_sha256':'%h',"
                    "'error':'%s'}",
                    &index, &size, &found, &chunk_size, &chunk, &error))
        modified();
    if (index != log_.index - 1) modified();
    compare_torn(SEG_TORN, index, size, found);
    compare_torn(CHUNK_TORN, index, chunk_size, chunk);
    log_.wanted = NULL;
}

static void chunk_record(const record *r) {
    uint64_t offset, size, frames;
    hash stated;
    if (!payload_is(r->payload, "{'offset':%n,'bytes':%n,'frames':%n,'sha256':'%h'}", &offset, &size, &frames, &stated))
        modified();
    if (offset != log_.chunk_at || size < 1 || size > 16777216 || size > log_.chunk.size - log_.chunk_at) modified();
    if (!same(hash_of(log_.chunk.bytes + offset, size), stated)) modified();
    log_.chunk_at += size;
}

static void checkpoint_record(const record *r) {
    span text64;
    note signed_;
    checkpoint found;
    if (!payload_is(r->payload, "{'why':'%w','note':'%b'}", &text64)) modified();
    if (!read_note(text64, &signed_) || !read_checkpoint(signed_.text, &found, 4)) modified();
    if (!of_this_log(found.origin) || !of_this_log(signed_.name)) key_invalid();
    if (memcmp(signed_.id, log_.key_id, 4)) key_invalid();
    if (found.size != log_.records || !same(found.root, root(&log_.leaves))) modified();
    if (!same(found.binding, hash_of(r->whole.at, (size_t)(text64.at - r->whole.at)))) modified();
    if (signed_by(log_.key, signed_.signature, signed_.text)) {
        log_.unsigned_ = 0;
    } else if (!log_.unsigned_) {
        log_.unsigned_ = 1;
        log_.unsigned_at = log_.records;
    }
    log_.last_note = hash_of(signed_.bytes, signed_.size);
    log_.have_note = log_.sealed = 1;
    log_.covered = log_.records + 1;
    look_at_gap(r->boot, (int64_t)r->mono);
    if (log_.closing) {
        log_.closed = 1;
        log_.closing = 0;
        log_.wanted = NOTHING_MAY_COME;
    }
}

static void segment_close_record(const record *r) {
    uint64_t size;
    hash stated;
    if (!payload_is(r->payload, "{'size':%n,'root':'%h'}", &size, &stated)) modified();
    if (size != log_.records || !same(stated, root(&log_.leaves))) modified();
    log_.closing = 1;
    log_.wanted = "checkpoint";
}

static void countersigned_record(const record *r) {
    note signed_;
    certificate found = {0};
    read_certificate_record(r, &signed_, &found);
    if (memcmp(signed_.id, root_id, 4) || !signed_by(root_key, signed_.signature, signed_.text)) key_invalid();
    if (found.epoch < log_.first_epoch) return;
    hash text = hash_of(signed_.text.at, size_of(signed_.text));
    int known = 0;
    for (size_t i = 0; i < log_.chained_n; i++) known |= same(log_.chained[i].text, text);
    if (!known) modified();
    if (log_.pending && same(log_.pending_text, text)) log_.pending = 0;
}

static void retired_record(const record *r) {
    uint64_t segments, size;
    hash stated;
    if (!payload_is(r->payload, "{'segments':%n,'size':%n,'root':'%h'}", &segments, &size, &stated)) modified();
    if (segments < 1 || segments > log_.index) modified();
    if (segments >= log_.first) {
        boundary at = log_.boundaries[segments - log_.first];
        if (at.size != size || !same(at.root, stated)) modified();
    }
    if (segments == log_.first) {
        log_.retired_seen = 1;
        log_.retired_at = log_.records;
    }
}

static void clock_record(const record *r) {
    if (!payload_is(r->payload, "{'wall_step_ns':'%d','suspended_ns':'%d'}")) modified();
}

static const struct { const char *kind; void (*read)(const record *); } KINDS[] = {
    {"segment", segment_record},       {"epoch", epoch_record},
    {"recovered", recovered_record},   {"chunk", chunk_record},
    {"checkpoint", checkpoint_record}, {"segment_close", segment_close_record},
    {"countersigned", countersigned_record}, {"retired", retired_record},
    {"clock", clock_record},
};

static void look_at_heads(void) {
    for (; log_.heads_seen < log_.heads_n && log_.heads[log_.heads_seen].size <= log_.records; log_.heads_seen++) {
        head *known = &log_.heads[log_.heads_seen];
        if (known->size < log_.records) continue; /* retired */
        hash here = root(&log_.leaves);
        if (!memcmp(known->root, here.is, known->root_bytes))
            log_.anchored = 1;
        else
            known->root_bytes |= 0x100; /* contradicts the log: looked at when all keys are known */
    }
}

/* ---- segments --------------------------------------------------------------------------------------------------- */

static uint32_t big_endian(const byte *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t crc32_of(const byte *at, size_t size) {
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
            table[i] = c;
        }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
    return ~crc;
}

/* The body of the frame that begins here; an empty span when it is bad. */
static span frame(span rest) {
    span none = {rest.at, rest.at};
    if (size_of(rest) < 8) return none;
    uint32_t length = big_endian(rest.at);
    if (length < 1 || length > MAX_BODY || length > size_of(rest) - 8) return none;
    if (crc32_of(rest.at + 8, length) != big_endian(rest.at + 4)) return none;
    return (span){rest.at + 8, rest.at + 8 + length};
}

static int good_frame_follows(span rest) {
    int places = 0;
    for (const byte *at = rest.at + 9; at + 7 <= rest.end; at++) {
        if (memcmp(at, "{\"seq\":", 7)) continue;
        if (++places > 1000) return 0;
        span body = frame((span){at - 8, rest.end});
        if (size_of(body)) return 1;
    }
    return 0;
}

static int is_tear(span rest) {
    if (size_of(rest) < 8) return 1;
    uint32_t length = big_endian(rest.at);
    if (length >= 1 && length <= MAX_BODY && size_of(rest) <= (size_t)length + 8 && !good_frame_follows(rest)) return 1;
    for (const byte *c = rest.at; c < rest.end; c++)
        if (*c) return 0;
    return 1;
}

static _Noreturn void wrong_prev(hash leaf, span behind) {
    uint64_t n = log_.records;
    file next = {NULL, 0};
    if (n == log_.start) bad_record("MODIFIED", n);
    span body = frame(behind);
    if (!size_of(body) && log_.index + 1 < log_.end) {
        next = load_named(SEG, log_.index + 1);
        body = frame((span){next.bytes, next.bytes + next.size});
    }
    int as_written = !size_of(body);
    if (size_of(body) >= 75) {
        span tail = {body.end - 75, body.end};
        hash prev;
        as_written = literal(&tail, ",\"prev\":\"") && hex_hash(&tail, &prev) && equals(tail, "\"}") && same(prev, leaf);
    }
    free(next.bytes);
    bad_record("MODIFIED", as_written ? n - 1 : n);
}

static void one_record(span body, span behind) {
    record r;
    if (!read_record(body, &r)) modified();
    if (r.seq != log_.records) modified();
    hash leaf = hash_behind(0, body.at, size_of(body));
    if (!same(r.prev, log_.prev)) wrong_prev(leaf, behind);
    if (log_.wanted) {
        if (!equals(r.kind, log_.wanted)) modified();
    } else if (equals(r.kind, "segment") || equals(r.kind, "epoch") || equals(r.kind, "recovered")) {
        modified();
    }
    if (!equals(r.kind, "segment") && r.epoch != log_.epoch) modified();
    size_t i = 0, kinds = sizeof KINDS / sizeof *KINDS;
    while (i < kinds && !equals(r.kind, KINDS[i].kind)) i++;
    if (i < kinds)
        KINDS[i].read(&r);
    else if (!whole_object(r.payload, MAX_LEVELS))
        modified();
    look_at_clocks(r.boot, (int64_t)r.mono, (int64_t)r.boottime, r.wall, r.simulated, equals(r.kind, "clock"),
                   equals(r.kind, "segment") && log_.wanted);
    append(&log_.leaves, leaf);
    log_.prev = leaf;
    log_.records++;
    look_at_heads();
}

static void one_segment(uint64_t index) {
    int last = index + 1 == log_.end;
    if (!log_.closed && index > log_.first) log_.must_recover = 1;
    log_.wanted = "segment";
    log_.segment_seq = log_.records;
    log_.closed = log_.closing = log_.sealed = 0;
    log_.index = index;
    log_.chunk = has(CHUNK, index) ? load_named(CHUNK, index) : (file){NULL, 0};
    log_.chunk_at = 0;
    file segment = load_named(SEG, index);
    span rest = {segment.bytes, segment.bytes + segment.size}, body;
    while (size_of(body = frame(rest))) {
        rest.at = body.end;
        one_record(body, rest);
    }
    int live = last && !log_.closed;
    if (rest.at < rest.end) {
        if (!live || !is_tear(rest)) bad_record("CORRUPT", log_.records);
        log_.torn = 1;
    }
    if (log_.records == log_.segment_seq && !last) modified_nowhere();
    if (log_.chunk_at < log_.chunk.size) {
        if (!live) modified_nowhere();
        log_.torn = 1;
    }
    if (has(SEG_TORN, index) || has(CHUNK_TORN, index)) {
        if (log_.closed) modified_nowhere();
        if (last) log_.torn = 1;
    }
    free(segment.bytes);
    free(log_.chunk.bytes);
}

/* ---- heads ------------------------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b) {
    const head *x = a, *y = b;
    return (x->size > y->size) - (x->size < y->size);
}

static void add_head(const byte *bytes, size_t size, const char *path) {
    head found = {.root_bytes = 32, .note = {malloc(size), size}};
    checkpoint text;
    memcpy(found.note.bytes, bytes, size);
    if (!read_checkpoint((span){found.note.bytes, found.note.bytes + size}, &text, 3)) unusable("is no head", path);
    found.size = text.size;
    memcpy(found.root, text.root.is, 32);
    log_.heads = grown(log_.heads, log_.heads_n, sizeof *log_.heads);
    log_.heads[log_.heads_n++] = found;
}

static void load_heads(const char *path) {
    file heads = load(path);
    span in = {heads.bytes, heads.bytes + heads.size}, line;
    byte decoded[MAX_NOTE];
    for (size_t i = 0; i + 1 < heads.size; i++)
        if (heads.bytes[i] == '\n' && heads.bytes[i + 1] == '\n') {
            add_head(heads.bytes, heads.size, path);
            return;
        }
    while (until(&in, '\n', &line)) {
        span short_ = line;
        head found = {.root_bytes = 8};
        long size = base64(line, decoded, sizeof decoded);
        if (size > 0) {
            add_head(decoded, (size_t)size, path);
        } else if (literal(&short_, origin) && literal(&short_, " ") && number(&short_, 15, &found.size) &&
                   literal(&short_, " ") && hex(&short_, found.root, 8) && short_.at == short_.end) {
            log_.heads = grown(log_.heads, log_.heads_n, sizeof *log_.heads);
            log_.heads[log_.heads_n++] = found;
        } else {
            unusable("is no head", path);
        }
    }
}

/* Whether a key of an epoch of this log signed the head. */
static int head_is_signed(const head *known) {
    const byte *split = NULL, *end = known->note.bytes + known->note.size;
    for (const byte *c = known->note.bytes; known->note.size && c + 1 < end; c++)
        if (c[0] == '\n' && c[1] == '\n') split = c;
    if (!split) return 0;
    span text = {known->note.bytes, split + 1}, in = {split + 2, end}, line;
    while (until(&in, '\n', &line)) {
        span name;
        byte decoded[80];
        if (!literal(&line, "\xe2\x80\x94 ") || !until(&line, ' ', &name) || !of_this_log(name)) continue;
        if (base64(line, decoded, sizeof decoded) != 68) continue;
        for (size_t i = 0; i < log_.keys_n; i++)
            if (!memcmp(log_.keys[i].id, decoded, 4) && signed_by(log_.keys[i].key, decoded + 4, text)) return 1;
    }
    return 0;
}

static void judge_heads(void) {
    const head *before = NULL;
    for (size_t i = 0; i < log_.heads_n; i++) {
        const head *known = &log_.heads[i];
        if (i < log_.heads_seen) {
            if (!(known->root_bytes & 0x100)) continue;
            log_.diverged = 1;
            log_.forked |= head_is_signed(known);
        } else if (head_is_signed(known)) {
            log_.forked |= before && before->size == known->size && memcmp(before->root, known->root, 32);
            before = known;
        }
    }
    if (log_.forked) say("FORKED", log_.records, -1);
    if (log_.diverged) say("DIVERGED", log_.records, -1);
    if (log_.heads_seen < log_.heads_n) say("TRUNCATED", log_.records, -1);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static void verify(void) {
    list_folder();
    log_.records = log_.start = log_.covered = log_.leaves.size;
    log_.first_epoch = log_.epoch + 1;
    look_at_heads();
    for (uint64_t index = log_.first; index < log_.end; index++) one_segment(index);
    if (log_.pending) bad_record("KEY-INVALID", log_.pending_seq);
    if (log_.have_retired && (!log_.retired_seen || log_.retired_at >= log_.covered)) modified_nowhere();
    judge_heads();
    if (!log_.sealed) say("UNSEALED", log_.records, -1);
    if (log_.torn || log_.closing) say("UNCLEAN-END", log_.records, -1);
    if (!log_.closed) say("OPEN-TAIL", log_.records, -1);
    if (log_.anomalies) say("CLOCK-ANOMALY", log_.records, -1);
    say(log_.anchored ? "VALID-ANCHORED" : "VALID-UNANCHORED", log_.records, -1);
}

static void load_key(const char *path) {
    file key = load(path);
    span in = {key.bytes, key.bytes + key.size}, name, line;
    byte id[4], stated[4], decoded[33];
    if (!until(&in, '+', &name) || !is_name(name) || !hex(&in, stated, 4) || !literal(&in, "+") ||
        !until(&in, '\n', &line) || in.at != in.end || base64(line, decoded, 33) != 33 || decoded[0] != 1)
        unusable("is no public key", path);
    memcpy(origin, name.at, size_of(name));
    memcpy(root_key, decoded + 1, 32);
    key_id_of(origin, 1, root_key, root_id);
    memcpy(id, root_id, 4);
    if (memcmp(id, stated, 4)) unusable("is no public key", path);
    free(key.bytes);
}

int main(int count, char **arguments) {
    static char line[65536];
    if (count != 2) unusable("one public key file wanted", "arguments");
    load_key(arguments[1]);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        memset(&log_, 0, sizeof log_); /* what a log needed is left to the end of the process */
        log_.folder = strtok(line, "\t");
        for (char *path; (path = strtok(NULL, "\t"));) load_heads(path);
        if (log_.heads_n) qsort(log_.heads, log_.heads_n, sizeof *log_.heads, by_size);
        if (!setjmp(done)) verify();
        puts(verdict);
    }
    return 0;
}
