package code

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Unfinished stands in the place of a hash while a release is being brought up, and where that was cut off: it is the hash of none.
const Unfinished = "unfinished"

// Hash of all of a release: 16 hexadecimal digits. Params in another order are the same ones.
func Hash(release v1alpha1.Release) string {
	text, err := json.Marshal(release)
	if err != nil {
		return release.Version // strings and a map of strings: they always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Deployed is what the status says once a release is on the server.
func Deployed(release v1alpha1.Release) *v1alpha1.DeployedRelease {
	return &v1alpha1.DeployedRelease{Version: release.Version, Checksum: release.Checksum, Hash: Hash(release)}
}

// Same says whether what is on a server is the release. Where no hash is known, version and checksum say so.
func Same(have *v1alpha1.DeployedRelease, want v1alpha1.Release) bool {
	return looks(have, want) && (have.Hash == "" || have.Hash == Hash(want))
}

// SameAs is Same for who has the hash of the release already, since many servers are compared with one.
func SameAs(have *v1alpha1.DeployedRelease, want v1alpha1.Release, hash string) bool {
	return looks(have, want) && (have.Hash == "" || have.Hash == hash)
}

// looks like the release, by what a status without a hash says.
func looks(have *v1alpha1.DeployedRelease, want v1alpha1.Release) bool {
	return have != nil && have.Version == want.Version && (want.Checksum == "" || have.Checksum == want.Checksum)
}

// Adopts says whether what is on a server has no hash yet, and gets that of the release.
func Adopts(have *v1alpha1.DeployedRelease, want *v1alpha1.Release) bool {
	return want != nil && looks(have, *want) && have.Hash == ""
}

// Found on the machine, where known is what the status said before. A record of before hashes were written does not take away what is
// known.
func Found(found, known *v1alpha1.DeployedRelease) *v1alpha1.DeployedRelease {
	if found != nil && found.Hash == "" && known != nil && known.Version == found.Version && known.Checksum == found.Checksum {
		return known.DeepCopy()
	}
	return found
}
