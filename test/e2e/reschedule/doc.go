// Package reschedule plays replicas that find no node on a federation of its own: an estimator that is asked by forty stories at once does
// not get to read every template in time, answers carefully, and then nothing moves for a while.
package reschedule
