/* A receiver that costs next to nothing: counts events, answers 201, keeps connections open.
 *
 * cc -O2 -o sink sink.c -lz
 * sink PORT [DELAY_MS [digest]]   answers each POST after DELAY_MS (a receiver far away); 0 is at once
 *
 * With `digest` every event's bytes are hashed and the hashes added: equal sums mean equal events, however they came.
 *
 * POST counts what it finds in the body: transaction_ids (logship) or newlines (NDJSON of the peers; _bulk bodies
 * have two lines an event). gzip bodies are inflated. GET /stats gives the numbers as JSON, GET anything else "{}". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define MARK "\"transaction_id\":"
#define MAX_WAITING 256
#define HEAD_LIMIT 65536

typedef struct connection {
  int fd;
  char *data;
  size_t length, capacity;
} connection;

typedef struct {
  double at;
  connection *to;
} waiting;

static unsigned long long requests, body_bytes, events;
static double first_at, last_at, delay_s;
static waiting line[MAX_WAITING];
static int line_length;

static unsigned long long digest;
static int wants_digest;

/* Adds the FNV-1a hash of each object of a JSON array, or of the bare object. */
static void digest_in(const char *data, size_t length) {
  unsigned long long hash = 14695981039346656037ull;
  int depth = 0, in_text = 0;
  for (const char *at = data, *end = data + length; at < end; at++) {
    if (!depth && *at != '{') continue; /* brackets and commas between events */
    hash = (hash ^ (unsigned char)*at) * 1099511628211ull;
    if (in_text) {
      if (*at == '\\' && at + 1 < end) hash = (hash ^ (unsigned char)*++at) * 1099511628211ull;
      else if (*at == '"') in_text = 0;
    } else if (*at == '"') in_text = 1;
    else if (*at == '{') depth++;
    else if (*at == '}' && !--depth) digest += hash, hash = 14695981039346656037ull;
  }
}

static double now(void) {
  struct timespec moment;
  clock_gettime(CLOCK_MONOTONIC, &moment);
  return moment.tv_sec + moment.tv_nsec * 1e-9;
}

static void count_in(const char *data, size_t length, int is_bulk) {
  const char *end = data + length, *at = data;
  unsigned long long marks = 0, newlines = 0;
  if (wants_digest) digest_in(data, length);
  while ((at = memmem(at, end - at, MARK, sizeof MARK - 1))) marks++, at += sizeof MARK - 1;
  if (!marks) {
    for (at = data; at < end; at++) newlines += *at == '\n';
  }
  events += marks ? marks : is_bulk ? newlines / 2 : newlines;
}

static void count_body(const char *data, size_t length, int is_gzip, int is_bulk) {
  static char *inflated;
  static const size_t room = 16 << 20;
  if (!is_gzip) {
    count_in(data, length, is_bulk);
    return;
  }
  if (!inflated) inflated = malloc(room);
  z_stream stream = {.next_in = (Bytef *)data, .avail_in = length, .next_out = (Bytef *)inflated, .avail_out = room};
  inflateInit2(&stream, 47);
  inflate(&stream, Z_FINISH);
  count_in(inflated, stream.total_out, is_bulk);
  inflateEnd(&stream);
}

static void answer(int fd, const char *status, const char *body) {
  char text[1024];
  int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        status, strlen(body), body);
  if (write(fd, text, length) != length) shutdown(fd, SHUT_RDWR);
}

static void answer_stats(int fd) {
  struct rusage use;
  char body[512];
  getrusage(RUSAGE_SELF, &use);
  double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
  snprintf(body, sizeof body,
           "{\"requests\":%llu,\"body_bytes\":%llu,\"events\":%llu,\"first_at\":%.6f,\"last_at\":%.6f,\"cpu_s\":%.3f,"
           "\"digest\":\"%016llx\"}",
           requests, body_bytes, events, first_at, last_at, cpu, digest);
  answer(fd, "200 OK", body);
}

static const char *header(const char *head, const char *end, const char *name) {
  size_t length = strlen(name);
  for (const char *at = head; at && at < end; at = memmem(at, end - at, "\r\n", 2), at = at ? at + 2 : 0)
    if ((size_t)(end - at) > length && !strncasecmp(at, name, length) && at[length] == ':') return at + length + 1;
  return 0;
}

/* Serves every whole request in the buffer; 0 while the connection lives. */
static int serve(connection *c) {
  for (;;) {
    char *head_end = memmem(c->data, c->length, "\r\n\r\n", 4);
    if (!head_end) return c->length > HEAD_LIMIT ? -1 : 0;
    const char *length_text = header(c->data, head_end, "content-length");
    const char *encoding = header(c->data, head_end, "content-encoding");
    size_t head = head_end + 4 - c->data, body = length_text ? strtoul(length_text, 0, 10) : 0;
    if (c->length < head + body) {
      if (head + body > c->capacity) c->data = realloc(c->data, c->capacity = head + body);
      return 0;
    }
    if (!strncmp(c->data, "POST", 4)) {
      int is_bulk = !!memmem(c->data, 64 < head ? 64 : head, "/_bulk", 6);
      last_at = now();
      if (!requests++) first_at = last_at;
      body_bytes += body;
      count_body(c->data + head, body, encoding && memmem(encoding, 8, "gzip", 4), is_bulk);
      if (is_bulk) answer(c->fd, "200 OK", "{\"errors\":false,\"items\":[]}");
      else if (delay_s > 0 && line_length < MAX_WAITING) line[line_length++] = (waiting){last_at + delay_s, c};
      else answer(c->fd, "201 Created", "{}");
    } else if (!strncmp(c->data, "GET /stats", 10)) answer_stats(c->fd);
    else answer(c->fd, "200 OK", strncmp(c->data, "HEAD", 4) ? "{}" : "");
    memmove(c->data, c->data + head + body, c->length -= head + body);
  }
}

static int answer_due(void) {
  double moment = now();
  int left = 0;
  for (int i = 0; i < line_length; i++) {
    if (line[i].at <= moment) {
      if (line[i].to->fd >= 0) answer(line[i].to->fd, "201 Created", "{}");
    } else line[left++] = line[i];
  }
  line_length = left;
  return line_length ? (int)((line[0].at - moment) * 1000) + 1 : -1;
}

int main(int count, char **arguments) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (count < 2) return 2;
  address.sin_port = htons(atoi(arguments[1]));
  delay_s = count > 2 ? atof(arguments[2]) / 1000 : 0;
  wants_digest = count > 3;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) {
    perror("sink");
    return 1;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = 0}, found[64];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  puts("listening");
  fflush(stdout);
  for (;;) {
    int ready = epoll_wait(poll, found, 64, answer_due());
    for (int i = 0; i < ready; i++) {
      connection *c = found[i].data.ptr;
      if (!c) {
        int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c = malloc(sizeof *c);
        *c = (connection){fd, malloc(1 << 19), 0, 1 << 19};
        event.events = EPOLLIN;
        event.data.ptr = c;
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
        continue;
      }
      if (c->capacity - c->length < HEAD_LIMIT) c->data = realloc(c->data, c->capacity += 1 << 19);
      ssize_t got = read(c->fd, c->data + c->length, c->capacity - c->length);
      if (got > 0) c->length += got;
      if (got <= 0 || serve(c)) {
        close(c->fd);
        c->fd = -1; /* kept: an answer may still wait in line */
        free(c->data);
        c->data = 0;
        c->length = c->capacity = 0;
      }
    }
  }
}
