/* Nothing but the library, the server and an acknowledgement: what a path through EDS is held against. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/pull.h"

#define STREAM	"dbchange"
#define BATCH	4096u
#define BACKLOG	8192u	/* with that much to store there is no point in pulling more */

struct puller {
	natsConnection		*nc;
	natsSubscription	*sub;
	char			 subject[300], inbox[100];
	uint64_t		 pulls, left;		/* of the open pull */
	uint64_t		 count, taken;
	pull_take		 take;
	void			*arg;
	pthread_mutex_t		 lock;			/* guards the counts, and what follows */
	uint64_t		 acked;
	volatile uint64_t	*progress;		/* the same, for others to see */
	pthread_cond_t		 over;
};

void
die(const char *doing, const char *why)
{
	(void)fprintf(stderr, "%s: %s\n", doing, why);
	exit(1);
}

void
must(natsStatus s, const char *doing)
{
	natsStatus	 last;
	const char	*text;

	if (s == NATS_OK)
		return;
	text = nats_GetLastError(&last);
	die(doing, text != NULL && text[0] != '\0' ? text : natsStatus_GetText(s));
}

static void
pull(struct puller *p)
{
	char	 inbox[150], body[100];
	int	 n = snprintf(body, sizeof(body), "{\"batch\":%u,\"expires\":30000000000}", BATCH);

	p->left = BATCH;
	(void)snprintf(inbox, sizeof(inbox), "%s.%" PRIu64, p->inbox, ++p->pulls);
	must(natsConnection_PublishRequest(p->nc, p->subject, inbox, body, n), "pulling");
}

/* The lock is held. */
static void
pull_if_due(struct puller *p)
{
	if (p->left == 0 && p->taken < p->count && p->taken - p->acked < BACKLOG)
		pull(p);
}

static void
on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	struct puller	*p = arg;
	bool		 is_event = natsMsg_GetReply(msg) != NULL;

	(void)nc;
	(void)sub;
	(void)pthread_mutex_lock(&p->lock);
	if (is_event) {
		p->taken++;
		p->left--;
	} else
		p->left = 0;		/* the pull has expired, or another status */
	pull_if_due(p);
	(void)pthread_mutex_unlock(&p->lock);
	if (is_event)
		p->take(p->arg, p, msg);
	else
		natsMsg_Destroy(msg);
}

natsConnection *
connect_to(const char *url, const char *creds, bool nodelay)
{
	natsOptions	*opts = NULL;
	natsConnection	*nc = NULL;
	natsStatus	 s;
	int		 tries = 0;

	must(natsOptions_Create(&opts), "options");
	must(natsOptions_SetURL(opts, url), "URL");
	must(natsOptions_SetUserCredentialsFromFiles(opts, creds, NULL), "credentials");
	must(natsOptions_SetSendAsap(opts, nodelay), "options");
	/* The library's login fails once in 256 times. */
	do
		s = natsConnection_Connect(&nc, opts);
	while (s != NATS_OK && ++tries < 5);
	must(s, "connecting");
	natsOptions_Destroy(opts);
	return nc;
}

/* Never unmapped. */
static volatile uint64_t *
map_progress(void)
{
	static uint64_t	 nowhere;
	const char	*path = getenv(PROGRESS_VARIABLE);
	void		*at;
	int		 fd;

	if (path == NULL)
		return &nowhere;
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		die(path, strerror(errno));
	at = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		die(path, strerror(errno));
	(void)close(fd);
	return at;
}

struct puller *
pull_start(const char *url, const char *creds, const char *consumer, uint64_t count, pull_take take, void *arg)
{
	struct puller	*p = calloc(1, sizeof(*p));
	natsInbox	*inbox = NULL;
	char		 all[120];

	if (p == NULL)
		die("starting", "memory is short");
	p->count = count;
	p->progress = map_progress();
	p->take = take;
	p->arg = arg;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->over, NULL);
	p->nc = connect_to(url, creds, false);
	must(natsInbox_Create(&inbox), "inbox");
	(void)snprintf(p->inbox, sizeof(p->inbox), "%s", inbox);
	natsInbox_Destroy(inbox);
	(void)snprintf(p->subject, sizeof(p->subject), "$JS.API.CONSUMER.MSG.NEXT." STREAM ".%s", consumer);
	(void)snprintf(all, sizeof(all), "%s.*", p->inbox);
	must(natsConnection_Subscribe(&p->sub, p->nc, all, on_message, p), "subscribing");
	must(natsSubscription_SetPendingLimits(p->sub, -1, -1), "limits");
	(void)pthread_mutex_lock(&p->lock);
	pull(p);
	(void)pthread_mutex_unlock(&p->lock);
	return p;
}

void
pull_ack(struct puller *p, natsMsg *msg)
{
	must(natsConnection_PublishString(p->nc, natsMsg_GetReply(msg), "+ACK"), "acknowledging");
	(void)pthread_mutex_lock(&p->lock);
	*p->progress = ++p->acked;
	pull_if_due(p);
	if (p->acked == p->count)
		(void)pthread_cond_signal(&p->over);
	(void)pthread_mutex_unlock(&p->lock);
}

void
pull_end(struct puller **pp)
{
	struct puller	*p = *pp;

	(void)pthread_mutex_lock(&p->lock);
	while (p->acked < p->count)
		(void)pthread_cond_wait(&p->over, &p->lock);
	(void)pthread_mutex_unlock(&p->lock);
	must(natsConnection_FlushTimeout(p->nc, 30000), "flushing");
	natsSubscription_Destroy(p->sub);
	natsConnection_Close(p->nc);
	natsConnection_Destroy(p->nc);
	(void)pthread_cond_destroy(&p->over);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	*pp = NULL;
}

/* A ring that holds all that can be unacknowledged; the server bounds that. */

#define RING	32768u

struct queue {
	natsMsg		*ring[RING];
	uint64_t	 head, tail, count;
	pthread_mutex_t	 lock;
	pthread_cond_t	 some;
};

struct queue *
queue_new(uint64_t count)
{
	struct queue	*q = calloc(1, sizeof(*q));

	if (q == NULL)
		die("starting", "memory is short");
	q->count = count;
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_cond_init(&q->some, NULL);
	return q;
}

void
queue_put(void *arg, struct puller *p, natsMsg *msg)
{
	struct queue	*q = arg;

	(void)p;
	(void)pthread_mutex_lock(&q->lock);
	if (q->tail - q->head == RING)
		die("queueing", "max_ack_pending of the consumer is beyond what this program holds");
	q->ring[q->tail++ % RING] = msg;
	(void)pthread_cond_signal(&q->some);
	(void)pthread_mutex_unlock(&q->lock);
}

size_t
queue_take(struct queue *q, natsMsg **out, size_t most)
{
	size_t	 n = 0;

	(void)pthread_mutex_lock(&q->lock);
	while (q->head == q->tail && q->head < q->count)
		(void)pthread_cond_wait(&q->some, &q->lock);
	while (n < most && q->head < q->tail)
		out[n++] = q->ring[q->head++ % RING];
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}

void
queue_free(struct queue **qp)
{
	(void)pthread_cond_destroy(&(*qp)->some);
	(void)pthread_mutex_destroy(&(*qp)->lock);
	free(*qp);
	*qp = NULL;
}
