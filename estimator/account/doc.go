// Package account is what argosy-estimator tells argosyctl of how many replicas fit. It links nothing of Kubernetes' scheduler, so that
// argosyctl does not either (decision 0389).
package account
