/* hiredis, the C library that many others are made of: commands, pipelines, transactions, blocking pops, a subscriber.
 *
 * hiredis HOST:PORT PREFIX plain|proxy
 *
 * Each family ends with a line "family NAME" once all it asserts holds; all keys begin with PREFIX. */

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *prefix;
static char host[256];
static int port;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "line %d: not true: %s\n", __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

static redisContext *dial(void) {
	redisContext *c = redisConnect(host, port);
	CHECK(c && !c->err);
	CHECK(redisSetTimeout(c, (struct timeval){60, 0}) == REDIS_OK);
	return c;
}

/* text writes down a reply: scalars as they are, nil as (nil), elements between brackets. */
static void text(redisReply *r, char *to, size_t room) {
	size_t n = strlen(to);
	switch (r->type) {
	case REDIS_REPLY_NIL:
		snprintf(to + n, room - n, "(nil)");
		break;
	case REDIS_REPLY_INTEGER:
		snprintf(to + n, room - n, "%lld", r->integer);
		break;
	case REDIS_REPLY_ARRAY:
		strcat(to, "[");
		for (size_t i = 0; i < r->elements; i++) {
			if (i) strcat(to, " ");
			text(r->element[i], to, room);
		}
		strcat(to, "]");
		break;
	default:
		snprintf(to + n, room - n, "%s%s", r->type == REDIS_REPLY_ERROR ? "-" : "", r->str);
	}
}

/* want reads the next reply, which may be one that was read already, and compares. In what is wanted, @ stands for PREFIX. */
static void want(redisContext *c, redisReply *r, const char *expected) {
	char got[65536] = "", all[65536] = "";
	if (!r && redisGetReply(c, (void **)&r) != REDIS_OK) {
		fprintf(stderr, "%s, want %s\n", c->errstr, expected);
		exit(1);
	}
	text(r, got, sizeof got);
	for (const char *p = expected; *p; p++) {
		if (*p == '@') strcat(all, prefix);
		else strncat(all, p, 1);
	}
	if (strncmp(got, all, *all == '-' ? strlen(all) : sizeof got)) {
		fprintf(stderr, "got %s, want %s\n", got, all);
		exit(1);
	}
	freeReplyObject(r);
}

/* ask sends a command, in which %s stands for PREFIX, and compares. */
static void ask(redisContext *c, const char *expected, const char *command) {
	CHECK(redisAppendCommand(c, command, prefix, prefix, prefix) == REDIS_OK);
	want(c, NULL, expected);
}

static void commands(void) {
	redisContext *c = dial();
	ask(c, "OK", "SET %ss v");
	ask(c, "v", "GET %ss");
	ask(c, "(nil)", "GET %snone");
	ask(c, "-WRONGTYPE", "LPUSH %ss x");
	ask(c, "2", "HSET %sh a 1 b 2");
	ask(c, "[1 (nil)]", "HMGET %sh a none");
	char bytes[256];
	for (int i = 0; i < 256; i++) bytes[i] = (char)i;
	want(c, redisCommand(c, "SET %sbin %b", prefix, bytes, sizeof bytes), "OK");
	redisReply *r = redisCommand(c, "GET %sbin", prefix);
	CHECK(r && r->len == sizeof bytes && !memcmp(r->str, bytes, sizeof bytes));
	freeReplyObject(r);
	redisFree(c);
	puts("family commands");
}

static void pipelines(void) {
	redisContext *c = dial();
	char number[16];
	for (int i = 0; i < 2000; i++) {
		CHECK(redisAppendCommand(c, "SET %s%d %d", prefix, i, i) == REDIS_OK);
		CHECK(redisAppendCommand(c, "GET %s%d", prefix, i) == REDIS_OK);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(number, sizeof number, "%d", i);
		want(c, NULL, "OK");
		want(c, NULL, number);
	}
	redisFree(c);
	puts("family pipelines");
}

static void transactions(void) {
	redisContext *c = dial(), *other = dial();
	ask(c, "OK", "MULTI");
	ask(c, "QUEUED", "SET {%s}a 1");
	ask(c, "QUEUED", "INCR {%s}a");
	ask(c, "QUEUED", "LPUSH {%s}a x");
	ask(c, "[OK 2 -WRONGTYPE Operation against a key holding the wrong kind of value]", "EXEC");
	ask(c, "OK", "WATCH {%s}a");
	ask(other, "3", "INCR {%s}a");
	ask(c, "OK", "MULTI");
	ask(c, "QUEUED", "SET {%s}a mine");
	ask(c, "(nil)", "EXEC");
	ask(c, "3", "GET {%s}a");
	redisFree(other);
	redisFree(c);
	puts("family transactions");
}

static void blocking(void) {
	redisContext *c = dial(), *other = dial();
	ask(c, "(nil)", "BLPOP %slist 0.1");
	CHECK(redisAppendCommand(c, "BLPOP %snone %slist 0", prefix, prefix) == REDIS_OK); /* in two slots */
	CHECK(redisAppendCommand(c, "GET %snone", prefix) == REDIS_OK);
	int sent = 0;
	while (!sent) CHECK(redisBufferWrite(c, &sent) == REDIS_OK);
	ask(other, "2", "RPUSH %slist a b");
	want(c, NULL, "[@list a]");
	want(c, NULL, "(nil)");
	ask(c, "[@list b]", "BRPOP %slist 0");
	redisFree(other);
	redisFree(c);
	puts("family blocking");
}

static void pubsub(void) {
	redisContext *c = dial(), *other = dial();
	ask(c, "[subscribe @one 1]", "SUBSCRIBE %sone %stwo");
	want(c, NULL, "[subscribe @two 2]");
	ask(c, "[psubscribe @by* 3]", "PSUBSCRIBE %sby*");
	ask(c, "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", "GET %sone");
	ask(c, "[pong ]", "PING");
	ask(other, "1", "PUBLISH %sone hello");
	want(c, NULL, "[message @one hello]");
	ask(other, "1", "PUBLISH %sbypattern hello");
	want(c, NULL, "[pmessage @by* @bypattern hello]");
	for (int i = 0; i < 1000; i++) CHECK(redisAppendCommand(other, "PUBLISH %stwo %d", prefix, i) == REDIS_OK);
	for (int i = 0; i < 1000; i++) want(other, NULL, "1");
	for (int i = 0; i < 1000; i++) {
		char message[32];
		snprintf(message, sizeof message, "[message @two %d]", i);
		want(c, NULL, message);
	}
	ask(c, "[unsubscribe @one 2]", "UNSUBSCRIBE %sone");
	ask(c, "[unsubscribe @two 1]", "UNSUBSCRIBE");
	ask(c, "[punsubscribe @by* 0]", "PUNSUBSCRIBE");
	ask(c, "(nil)", "GET %sone");
	redisFree(other);
	redisFree(c);
	puts("family pubsub");
}

int main(int argc, char **argv) {
	CHECK(argc == 4);
	char *colon = strrchr(argv[1], ':');
	snprintf(host, sizeof host, "%.*s", (int)(colon - argv[1]), argv[1]);
	port = atoi(colon + 1);
	prefix = argv[2];
	commands();
	pipelines();
	transactions();
	blocking();
	pubsub();
	return 0;
}
