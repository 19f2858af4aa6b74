package binding

import (
	"regexp"
	"slices"
	"strings"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Answer is how the last write of a Work's manifest into its member ended.
type Answer struct {
	// Taken: the member took a manifest, which may be an older one than the Work has now.
	Taken bool
	// Failure is Karmada's message of a write that failed; empty otherwise.
	Failure string
	// Refused: the member's API server answered, and said no. Of a failure without an answer nobody knows whether the member has the
	// manifest; Karmada tries again.
	Refused bool
}

// AnswerOf reads the Work's Applied condition.
func AnswerOf(work *workv1alpha1.Work) Answer {
	applied := meta.FindStatusCondition(work.Status.Conditions, workv1alpha1.WorkApplied)
	switch {
	case applied == nil:
		return Answer{}
	case applied.Status == metav1.ConditionTrue:
		return Answer{Taken: true}
	}
	return Answer{
		Failure: applied.Message,
		Refused: applied.Message != "" && applied.Status == metav1.ConditionFalse && !Unanswered(applied.Message),
	}
}

var (
	// exchange is how net/url writes an exchange with a server that ended without an answer.
	exchange = regexp.MustCompile(`\b(?:Get|Head|Post|Put|Patch|Delete|Options) "https?://[^"]*": `)
	// answered are the forms of refusals by an API server (k8s.io/apimachinery/pkg/api/errors, apiserver/pkg/admission) that quote others: a
	// webhook which it could not reach, or what one said.
	answered = regexp.MustCompile(`failed calling webhook|conversion webhook for |denied the request|is forbidden: |is invalid: `)
	// unable are answers of a server, or of a proxy before it, that could not look at the request (k8s.io/apimachinery/pkg/api/errors), and
	// what Karmada says of a member it has no connection with.
	unable = []string{
		"the server is currently unable to handle the request",
		"the server was unable to return a response in the time allotted",
		"the server has received too many requests",
		"request did not complete within",
		"has prevented the request from succeeding",
		"etcdserver: ",
		"context deadline exceeded",
		"context canceled",
		"client rate limiter Wait returned an error",
		"connection refused",
		"connection reset by peer",
		"broken pipe",
		"use of closed network connection",
		"http2: ",
		"i/o timeout",
		"TLS handshake timeout",
		"no such host",
		"no route to host",
		"network is unreachable",
		"has not been initialized",
	}
)

// Unanswered reports whether an error's text, of a write into a member, tells of a connection and not of an answer. Karmada keeps only the
// text; where the error itself is at hand, apierrors tells the same.
func Unanswered(failure string) bool {
	if answered.MatchString(failure) {
		return false
	}
	return exchange.MatchString(failure) || strings.HasSuffix(failure, "EOF") ||
		slices.ContainsFunc(unable, func(words string) bool { return strings.Contains(failure, words) })
}
