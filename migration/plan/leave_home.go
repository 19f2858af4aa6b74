package plan

import "fmt"

// home lets go of the namespace before the application is said to have left: whoever deletes the record then leaves no protection behind.
func (j *journey) home() outcome {
	if j.unprotectHome(); len(j.decision.Actions) > 0 {
		return j.written(fmt.Sprintf("the end of the protection of namespace %s", j.Namespace))
	}
	return proceed
}
