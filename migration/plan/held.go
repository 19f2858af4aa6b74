package plan

func (j *journey) held() outcome {
	failure := j.Status.Failure
	j.next.Blocked = failure.Reason
	return j.wait(failure.Reason, failure.Message+"; paused: raise spec.attempt ('argosyctl migration readopt') to go on, or roll it back "+
		"('argosyctl migration rollback')", resting)
}
