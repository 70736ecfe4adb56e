#ifndef EDS_BENCH_FILE_NAME_H
#define EDS_BENCH_FILE_NAME_H

#include <stddef.h>

#include <nats/nats.h>

/*
 * Where the file driver stores one of the bench's events: <table>/<seconds>-<key>.json.
 * Cut out of the subject and of where the bench's events have it, without parsing; ends the program otherwise.
 */
const char	*table_name(natsMsg *, size_t *n_r);
const char	*row_key(natsMsg *, size_t *n_r);
void		 file_name(char *out, size_t size, natsMsg *);

#endif
