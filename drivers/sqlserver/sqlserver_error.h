#ifndef EDS_SQLSERVER_ERROR_H
#define EDS_SQLSERVER_ERROR_H

#include "drivers/sql/verdict.h"
#include "drivers/sqlserver/sqlserver_conn.h"

/* What follows from the error that a connection noted; err says it in words, without values of rows.  Sets `stale`. */
enum drv_result	 ms_verdict(struct ms_conn *, bool opening, const char *doing, struct err *);

/* Takes what the server quotes of a row out of one of its messages, in place. */
void	 ms_words_without_values(char *words);

#endif
