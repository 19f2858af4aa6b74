// Package decide says what a Release does next: which clusters, or how many replicas, have the template's revision, and what is waited for.
//
//	            a change                    done, soaked, approved
//	complete ─────────────► held ► stage 1 ───────────────────────► stage 2 ► ... ► everything ► complete
//	    ▲                     ▲       │ rejected, or too late with onFailure: Rollback
//	    │ template put back   │ retry ▼
//	    └──────────────────── rolled back
//
// What is open is derived anew each time from the stages up to the one that is open; what a cluster was given is not taken back by a
// scaling. It reads a World and answers with the status to be written, whose dispatch the admission of templates carries out.
package decide
