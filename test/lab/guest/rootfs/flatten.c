/* Reads JSON from stdin and prints each value in it as "path value", the path's parts with slashes between them, members
 * by name and elements by number: what a shell can work with. Strings stand without quotes. Ends with 1 for what is not
 * JSON, nested deeper than 16, or longer than 256 KiB. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 262144
#define DEEPEST 16

static char text[MOST + 1];
static char path[4096];
static const char *at = text;

static void fail(void) { exit(1); }

static void skip(void) {
  while (isspace((unsigned char)*at)) at++;
}

static char next(void) {
  skip();
  return *at;
}

static void expect(char wanted) {
  if (next() != wanted) fail();
  at++;
}

/* Only escapes of one character: what is configured here has no others. */
static void read_string(char *into, size_t size) {
  size_t length = 0;
  expect('"');
  for (; *at != '"'; at++) {
    int escaped = *at == '\\';
    if (escaped) at++;
    if (*at == '\0' || (escaped && *at == 'u') || length + 1 >= size) fail();
    into[length++] = escaped && *at == 'n' ? '\n' : *at;
  }
  at++;
  into[length] = '\0';
}

static void read_value(int depth);

/* Reads one member or element below the present path. */
static void read_below(const char *name, int depth) {
  size_t before = strlen(path);
  if (before + strlen(name) + 2 > sizeof path) fail();
  if (before > 0) strcat(path, "/");
  strcat(path, name);
  read_value(depth + 1);
  path[before] = '\0';
}

static void read_object(int depth) {
  char name[256];
  expect('{');
  if (next() == '}') {
    at++;
    return;
  }
  for (;;) {
    skip();
    read_string(name, sizeof name);
    expect(':');
    read_below(name, depth);
    if (next() != ',') break;
    at++;
  }
  expect('}');
}

static void read_array(int depth) {
  char name[16];
  expect('[');
  if (next() == ']') {
    at++;
    return;
  }
  for (int index = 0;; index++) {
    snprintf(name, sizeof name, "%d", index);
    read_below(name, depth);
    if (next() != ',') break;
    at++;
  }
  expect(']');
}

static void read_word(void) {
  const char *start = at;
  while (isalnum((unsigned char)*at) || (*at != '\0' && strchr("+-.", *at) != NULL)) at++;
  if (at == start) fail();
  printf("%s %.*s\n", path, (int)(at - start), start);
}

static void read_value(int depth) {
  static char value[4096];
  if (depth > DEEPEST) fail();
  switch (next()) {
    case '{':
      read_object(depth);
      break;
    case '[':
      read_array(depth);
      break;
    case '"':
      read_string(value, sizeof value);
      printf("%s %s\n", path, value);
      break;
    default:
      read_word();
  }
}

int main(void) {
  size_t length = fread(text, 1, MOST + 1, stdin);
  if (length > MOST) fail();
  text[length] = '\0';
  read_value(0);
  return next() == '\0' ? 0 : 1;
}
