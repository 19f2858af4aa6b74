package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// author is who wrote a revision, or deleted an object, by a line of an audit log.
type author struct {
	who, agent string
	at         time.Time
}

// authors are those of all planes.
type authors struct {
	writes  map[int64]author
	deletes map[Key][]author
}

// line is what of an audit event is read.
type line struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	User  struct {
		Username string `json:"username"`
	} `json:"user"`
	ImpersonatedUser *struct {
		Username string `json:"username"`
	} `json:"impersonatedUser"`
	UserAgent  string `json:"userAgent"`
	RequestURI string `json:"requestURI"`
	ObjectRef  struct {
		APIGroup  string `json:"apiGroup"`
		Resource  string `json:"resource"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	ResponseObject struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	} `json:"responseObject"`
	StageTimestamp time.Time `json:"stageTimestamp"`
}

// Sign says of each record who wrote it, by the audit logs of the planes.
func (h History) Sign(logs map[string]string) error {
	a := authors{writes: map[int64]author{}, deletes: map[Key][]author{}}
	for plane, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("reading the audit log of %s: %w", plane, err)
		}
		err = a.read(plane, f)
		f.Close()
		if err != nil {
			return fmt.Errorf("reading the audit log of %s: %w", plane, err)
		}
	}
	for i := range h.Records {
		r := &h.Records[i]
		found := a.writes[r.Revision]
		if r.Op == Delete {
			found = a.deleted(r.Key, r.At)
		}
		r.Who, r.Agent = found.who, found.agent
	}
	return nil
}

func (a authors) read(plane string, from io.Reader) error {
	reader := bufio.NewReaderSize(from, 1<<20)
	for {
		text, err := reader.ReadBytes('\n')
		if len(text) > 1 && text[len(text)-1] == '\n' { // the last line may be half written
			var l line
			if err := json.Unmarshal(text, &l); err != nil {
				return err
			}
			a.take(plane, l)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (a authors) take(plane string, l line) {
	// A dry run is answered with the revision of what is there, which somebody else wrote.
	code := l.ResponseStatus.Code
	if l.Stage != "ResponseComplete" || code < 200 || code > 299 || strings.Contains(l.RequestURI, "dryRun=") {
		return
	}
	by := author{who: l.User.Username, agent: shortAgent(l.UserAgent), at: l.StageTimestamp}
	if l.ImpersonatedUser != nil {
		by.who = l.ImpersonatedUser.Username
	}
	// Whoever writes what is there already is answered with a revision of somebody before.
	if revision, err := strconv.ParseInt(l.ResponseObject.Metadata.ResourceVersion, 10, 64); err == nil && l.Verb != "delete" {
		if _, known := a.writes[revision]; !known {
			a.writes[revision] = by
		}
	}
	resource := l.ObjectRef.Resource
	if strings.Contains(l.ObjectRef.APIGroup, ".") {
		resource = l.ObjectRef.APIGroup + "/" + resource
	}
	// A write may be what lets go of the last finalizer.
	key := Key{Plane: plane, Resource: resource, Namespace: l.ObjectRef.Namespace, Name: l.ObjectRef.Name}
	if l.Verb == "delete" || strings.Contains(l.ObjectRef.APIGroup, ".") {
		a.deletes[key] = append(a.deletes[key], by)
	}
}

// deleted is who spoke last of the object, when it was gone; a log's clock and the watch's are the machine's.
func (a authors) deleted(key Key, at time.Time) author {
	var last author
	for _, by := range a.deletes[key] {
		if by.at.Before(at.Add(time.Second)) {
			last = by
		}
	}
	return last
}

// shortAgent leaves of kube-controller-manager/v1.35.4 (linux/amd64)
// kubernetes/abc/system:serviceaccount:kube-system:horizontal-pod-autoscaler the program and, if it says so, the controller.
func shortAgent(agent string) string {
	program, _, _ := strings.Cut(agent, "/")
	if at := strings.LastIndex(agent, "system:serviceaccount:"); at >= 0 {
		return program + "/" + agent[strings.LastIndex(agent, ":")+1:]
	}
	return program
}
