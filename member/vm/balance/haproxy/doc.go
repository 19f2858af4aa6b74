// Package haproxy puts members into backends of HAProxy while it runs, over its runtime API: one or several instances that are told the
// same. The pool is the name of a backend that is in HAProxy's own configuration; servers which that names itself are never touched.
//
// What is added at run time is lost when HAProxy restarts or reloads: whoever uses the driver asks it to Ensure again and again.
// HAProxy 2.6 or newer.
package haproxy
