#ifndef EDS_BENCH_PULL_H
#define EDS_BENCH_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nats/nats.h>

/*
 * The pull loop that the bare programs share: one pull of 4096 open at a time
 * (max_waiting is 1), the next one goes out with the last message of the one before,
 * unless what came is piling up unacknowledged.
 */
struct puller;

/*
 * Where the number of acknowledged messages is kept for whoever looks on: the file
 * that the variable names, at least 8 bytes long.  Nowhere without it.
 */
#define PROGRESS_VARIABLE	"BENCH_PROGRESS"

/*
 * Connects and pulls from the durable consumer until `count` messages came; each goes to `take`, on the
 * library's thread, which owns it from then on.  Ends the program with a text when something is wrong.
 */
typedef void (*pull_take)(void *arg, struct puller *, natsMsg *);
struct puller	*pull_start(const char *url, const char *creds, const char *consumer, uint64_t count, pull_take, void *arg);

/* Acknowledges one message; any thread. */
void		 pull_ack(struct puller *, natsMsg *);

/* Waits for the last message to have been acknowledged, sends what is unsent, disconnects. */
void		 pull_end(struct puller **);

/* A connection; `nodelay` sends each message at once instead of gathering some. */
natsConnection	*connect_to(const char *url, const char *creds, bool nodelay);

/* Ends the program unless the library's call went well. */
void		 must(natsStatus, const char *doing);

/* Says what is wrong and ends the program. */
_Noreturn void	 die(const char *doing, const char *why);

/*
 * For the loops that store in batches: pull_take that queues (arg is the queue), and its other end.
 * queue_take() waits for at least one message and gives up to `most`; 0 means that all have come.
 */
struct queue;
struct queue	*queue_new(uint64_t count);
void		 queue_put(void *queue, struct puller *, natsMsg *);
size_t		 queue_take(struct queue *, natsMsg **out, size_t most);
void		 queue_free(struct queue **);

#endif
