/*
 * From publish to acknowledgement, which comes after the commit at the destination.
 *
 *	latency URL CREDS EVENTS CONSUMER FIRST_SEQ COUNT PER_SECOND [DIRECTORY]
 *
 * Publishes events at a steady rate, the first becoming sequence FIRST_SEQ of the
 * stream, and listens to the consumer's acknowledgements and, with DIRECTORY, for the
 * files of a file destination.  Prints one line per event: microseconds from the call of
 * publish to the arrival of the acknowledgement here, and to the appearance of the file;
 * -1 for what did not come within ten seconds after the last event, or was not looked for.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/events.h"
#include "tests/bench/file_name.h"
#include "tests/bench/pull.h"

#define PATIENCE_S	10

#define TABLES		256
#define PATH		600

struct watch {
	uint64_t	 first, count, acked, stored;
	int64_t		*sent_us, *took_us, *file_us;
	const char	*directory;
	int		 inotify;
	char		*tables[TABLES];	/* by watch descriptor, which count from 1 */
	pthread_mutex_t	 lock;
	pthread_cond_t	 all;
};

static int64_t
now_us(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>... */
static uint64_t
acked_seq(const char *subject)
{
	for (int dots = 0; dots < 5; dots++) {
		subject = strchr(subject, '.');
		if (subject == NULL)
			return 0;
		subject++;
	}
	return strtoull(subject, NULL, 10);
}

static void
on_ack(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	struct watch	*w = arg;
	int64_t		 now = now_us();
	uint64_t	 i = acked_seq(natsMsg_GetSubject(msg)) - w->first;

	(void)nc;
	(void)sub;
	natsMsg_Destroy(msg);
	(void)pthread_mutex_lock(&w->lock);
	if (i < w->count && w->took_us[i] == -1 && w->sent_us[i] != 0) {
		w->took_us[i] = now - w->sent_us[i];
		if (++w->acked == w->count)
			(void)pthread_cond_signal(&w->all);
	}
	(void)pthread_mutex_unlock(&w->lock);
}

/* Files. */

/* "<table>/<file>" is event `i`; the directories are made, so that they can be watched before anything comes. */
static void
expect_file(struct watch *w, natsMsg *msg, uint64_t i)
{
	char		 path[PATH], name[300], *entry;
	size_t		 n;
	const char	*table = table_name(msg, &n);
	int		 wd;

	(void)snprintf(path, sizeof(path), "%s/%.*s", w->directory, (int)n, table);
	if (mkdir(path, 0755) == 0) {
		if ((wd = inotify_add_watch(w->inotify, path, IN_MOVED_TO)) < 1 || wd >= TABLES)
			die("watching", path);
		w->tables[wd] = strndup(table, n);
	} else if (errno != EEXIST)
		die("making a directory", path);
	file_name(name, sizeof(name), msg);
	if (asprintf(&entry, "%.*s/%s", (int)n, table, name) == -1 ||
	    hsearch((ENTRY){ entry, (void *)(uintptr_t)i }, ENTER) == NULL)
		die("starting", "memory is short");
}

static void
expect_files(struct watch *w, struct events *e)
{
	if (hcreate(w->count * 2) == 0 || (w->inotify = inotify_init1(IN_CLOEXEC)) == -1)
		die("starting", strerror(errno));
	for (uint64_t i = 0; i < w->count; i++) {
		natsMsg *msg = events_message(e, i);

		expect_file(w, msg, i);
		natsMsg_Destroy(msg);
	}
}

static void
file_came(struct watch *w, const struct inotify_event *ev, int64_t now)
{
	char	 path[PATH];
	ENTRY	*found;
	uint64_t i;

	(void)snprintf(path, sizeof(path), "%s/%s", w->tables[ev->wd], ev->name);
	if ((found = hsearch((ENTRY){ path, NULL }, FIND)) == NULL)
		return;
	i = (uintptr_t)found->data;
	(void)pthread_mutex_lock(&w->lock);
	if (w->file_us[i] == -1 && w->sent_us[i] != 0) {
		w->file_us[i] = now - w->sent_us[i];
		w->stored++;
		(void)pthread_cond_signal(&w->all);
	}
	(void)pthread_mutex_unlock(&w->lock);
}

/* Lives as long as the program. */
static void *
watch_files(void *arg)
{
	struct watch	*w = arg;
	char		 buf[65536] __attribute__((aligned(8)));
	ssize_t		 n;

	while ((n = read(w->inotify, buf, sizeof(buf))) > 0) {
		int64_t now = now_us();

		for (char *at = buf; at < buf + n; ) {
			const struct inotify_event *ev = (const void *)at;

			if (ev->len > 0 && ev->wd > 0 && ev->wd < TABLES && w->tables[ev->wd] != NULL)
				file_came(w, ev, now);
			at += sizeof(*ev) + ev->len;
		}
	}
	return NULL;
}

static void
publish_all(struct watch *w, natsConnection *nc, struct events *e, uint64_t per_second)
{
	struct timespec	 next;

	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint64_t i = 0; i < w->count; i++) {
		natsMsg *msg = events_message(e, i);

		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		(void)pthread_mutex_lock(&w->lock);
		w->sent_us[i] = now_us();
		(void)pthread_mutex_unlock(&w->lock);
		must(natsConnection_PublishMsg(nc, msg), "publishing");
		natsMsg_Destroy(msg);
		next.tv_nsec += (long)(1000000000 / per_second);
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
	}
}

static void
wait_for_all(struct watch *w)
{
	struct timespec	 until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&w->lock);
	while ((w->acked < w->count || (w->directory != NULL && w->stored < w->count)) &&
	    pthread_cond_timedwait(&w->all, &w->lock, &until) == 0)
		;
	for (uint64_t i = 0; i < w->count; i++)
		(void)printf("%" PRId64 " %" PRId64 "\n", w->took_us[i], w->file_us[i]);
	(void)pthread_mutex_unlock(&w->lock);
}

int
main(int argc, char **argv)
{
	static struct watch	 w = { .lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER };
	struct events		*e;
	natsConnection		*nc;
	natsSubscription	*sub = NULL;
	char			 acks[300];
	pthread_t		 files;

	if (argc != 8 && argc != 9)
		die("usage", "latency URL CREDS EVENTS CONSUMER FIRST_SEQ COUNT PER_SECOND [DIRECTORY]");
	w.directory = argc == 9 ? argv[8] : NULL;
	w.first = strtoull(argv[5], NULL, 10);
	w.count = strtoull(argv[6], NULL, 10);
	w.sent_us = calloc(w.count, sizeof(*w.sent_us));
	w.took_us = calloc(w.count, sizeof(*w.took_us));
	w.file_us = calloc(w.count, sizeof(*w.file_us));
	if (w.sent_us == NULL || w.took_us == NULL || w.file_us == NULL)
		die("starting", "memory is short");
	for (uint64_t i = 0; i < w.count; i++)
		w.took_us[i] = w.file_us[i] = -1;
	nc = connect_to(argv[1], argv[2], true);	/* also what sets the library up */
	e = events_open(argv[3]);
	if (w.directory != NULL) {
		expect_files(&w, e);
		if (pthread_create(&files, NULL, watch_files, &w) != 0)
			die("starting", "no thread for the files");
		(void)pthread_detach(files);
	}
	(void)snprintf(acks, sizeof(acks), "$JS.ACK.dbchange.%s.>", argv[4]);
	must(natsConnection_Subscribe(&sub, nc, acks, on_ack, &w), "subscribing");
	must(natsConnection_FlushTimeout(nc, 5000), "subscribing");
	publish_all(&w, nc, e, strtoull(argv[7], NULL, 10));
	wait_for_all(&w);
	natsSubscription_Destroy(sub);
	natsConnection_Close(nc);
	natsConnection_Destroy(nc);
	events_close(&e);
	return 0;	/* the files' thread may still look at w */
}
