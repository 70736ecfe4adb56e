#ifndef EDS_BENCH_EVENTS_H
#define EDS_BENCH_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include <nats/nats.h>

/*
 * The file of prepared events: per event four numbers (32 bits, little endian:
 * lengths of subject, id, row key and payload), then the four texts.
 *
 * Event `n` of a run is event n % size of the file.  From the second round on, every
 * occurrence of the row's key is another key, so that rows and files stay distinct.
 */
struct events;

struct events	*events_open(const char *path);		/* ends the program when it cannot */
natsMsg		*events_message(struct events *, uint64_t n);	/* the caller's */
void		 events_close(struct events **);

#endif
