package v1alpha1

// Marks on a staged template, and so on its Works' manifests and the members' objects. The admission of templates writes them from the
// status of the Release, whoever writes the template; the admission of Works and the policy argosy-release-works read them.
const (
	// LabelStaged on a template has the admission of templates called; its value is the Release's name.
	LabelStaged = "release.argosy.dev/staged"
	// AnnotationRevision is what the object is: the revision of a template, or of the manifest a cluster is to have.
	AnnotationRevision = "release.argosy.dev/revision"
	// AnnotationStable is the revision of clusters that have none of the release.
	AnnotationStable = "release.argosy.dev/stable"
	// AnnotationOpen lists the clusters that may have the template's revision, or is OpenAll.
	AnnotationOpen = "release.argosy.dev/open"
	// AnnotationUpdated lists how many replicas of a cluster may have it: member1=1,member2=2. An open cluster that is not listed may have
	// all.
	AnnotationUpdated = "release.argosy.dev/updated"
	// AnnotationRejected lists revisions no cluster keeps.
	AnnotationRejected = "release.argosy.dev/rejected"
	// AnnotationOverrides on a template is Hold where overrides are held; on a manifest it is the revision whose overrides it has. A Work that
	// says Hold was not looked at by argosy-dispatch.
	AnnotationOverrides = "release.argosy.dev/overrides"
	// AnnotationAsked on a template counts how often Karmada was asked to render its Works again.
	AnnotationAsked = "release.argosy.dev/asked"
	// AnnotationShare on a manifest is how many replicas of this cluster may have its revision; absent for all.
	AnnotationShare = "release.argosy.dev/share"
	// StatusRevision in what a member reports of an object is AnnotationRevision of the object its numbers are of.
	StatusRevision = "releaseRevision"

	// OpenAll opens every cluster, of today and to come.
	OpenAll = "*"

	// Finalizer of a Release, and the label of its records.
	Finalizer    = "release.argosy.dev/held"
	LabelRelease = "release.argosy.dev/release"
	// FinalizerInUse of an object of spec.with: while clusters are held it is not taken from them by deleting its template.
	FinalizerInUse = "release.argosy.dev/in-use"
)
