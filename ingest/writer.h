/*
 * The writer thread: finished items come in any order, and are committed in
 * the order of their partition, in runs without a hole. It owns the one store
 * that writes verdicts, and keeps the database's time partitions in order.
 */
#ifndef WN_INGEST_WRITER_H
#define WN_INGEST_WRITER_H

struct wn_svc;

void *wn_writer_thread(void *svc);

#endif
