#ifndef EDS_COMMANDS_H
#define EDS_COMMANDS_H

#include <jansson.h>

#include "supervisor/supervisor_private.h"

/* Parts of commands.c, one per family of verbs, and what they share. */
void	 command_quarantine(struct supervisor *, struct control_request *, const struct ipc_strs *args);
void	 command_journal(struct supervisor *, struct control_request *, const struct ipc_strs *args);
void	 command_gap(struct supervisor *, struct control_request *, const struct ipc_strs *args);

void	 command_import(struct supervisor *, struct control_request *, const struct ipc_strs *args);
void	 command_audit(struct supervisor *, struct control_request *, const struct ipc_strs *args);

/* Writes down what a local user is about to change; nothing for verbs that only look. */
void	 commands_audit(struct supervisor *, struct control_request *, const char *verb, const struct ipc_strs *args);

void	 command_check_connect(struct supervisor *, struct control_request *);
void	 command_check_end(struct supervisor *);	/* answers what is still under way */

/* The destination an argument names; answers for itself when there is none, and returns NULL. */
struct destination *command_destination(struct supervisor *, struct control_request *, struct slice name);

/* Completes the document with version and ok, answers, and frees it.  NULL: memory was short. */
void	 command_answer(struct control_request *, enum control_status, json_t *doc);

/* The gaps on record, for the caller to json_decref(). */
json_t	*gaps_load(struct supervisor *);

/* The status document's `journal`. */
json_t	*status_journal(struct supervisor *);

#endif
