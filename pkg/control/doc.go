// Package control is the socket on which a live daemon takes commands: pull
// now, pause, resume, reload, tell how it goes.
//
// The one thing to know: the socket is for root and for the daemon's own user
// and for nobody else. Its mode says so (unix(7): connecting needs the right to
// write), and each connection's peer is asked of the kernel besides, because a
// mode can be changed and a descriptor handed on.
//
// What goes over it is HTTP/1.1 with one JSON object each way, so that curl can
// speak it:
//
//	POST /pull    {"schema_version":1,"accounts":["work"],"wait":true}
//	POST /pause   {"schema_version":1,"accounts":["work"]}
//	POST /resume  {"schema_version":1,"accounts":["work"]}
//	POST /reload  {"schema_version":1}
//	POST /status  {"schema_version":1}
//
// No account named means all. An answer has "schema_version" and either what was
// asked for, "reports" or "status", or "error" with "code", "message" and where
// they apply "account", "class", "hint" and "final".
//
// Each connection is served on its own: one that says nothing holds up no other,
// and is closed after a few seconds.
package control
