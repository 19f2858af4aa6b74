package fit

// Domain is one topology domain (a zone, a rack, a node) as one spread constraint sees it.
type Domain struct {
	// Existing counts the pods there that the constraint's selector matches.
	Existing int64
	// Capacity counts the copies that its nodes take, the constraint aside.
	Capacity int64
}

// Spread is how many copies fit under one hard topology spread constraint that counts the copies themselves.
//
// A copy may go to domain d iff count(d) + 1 - min(count) <= skew (PodTopologySpread.Filter), min being over all eligible domains, or 0
// where they are fewer than minDomains. With e = Existing, c = Capacity, m = min over domains of (e + c), the total is
//
//	sum over d of max(0, min(c_d, m + skew - e_d))
//
// Proof. Counts only grow, and min(count) never exceeds m, as some domain cannot grow beyond its e+c = m; so no domain is filled beyond
// m + skew: the sum is an upper bound. When the scheduler is stuck, let u be min(count), reached in domain a. Were there room in a, the
// copy would be allowed there: u + 1 - u <= skew, as skew >= 1. So a is full, u = e_a + c_a >= m, hence u = m; and every domain with room
// left has count + 1 - m > skew, that is count >= m + skew. So each domain holds just the term of the sum, in whatever order the scheduler
// went. With fewer domains than minDomains the same holds with m = 0, for their number does not change by placing pods.
func Spread(domains []Domain, skew int64, minDomains int) int64 {
	return sum(SpreadShares(domains, skew, minDomains))
}

// SpreadShares are the terms of Spread: what each domain takes.
func SpreadShares(domains []Domain, skew int64, minDomains int) []int64 {
	if len(domains) == 0 {
		return nil
	}
	least := domains[0].Existing + domains[0].Capacity
	for _, d := range domains {
		least = min(least, d.Existing+d.Capacity)
	}
	if len(domains) < minDomains {
		least = 0
	}
	shares := make([]int64, len(domains))
	for i, d := range domains {
		shares[i] = max(0, min(d.Capacity, least+skew-d.Existing))
	}
	return shares
}

func sum(shares []int64) int64 {
	total := int64(0)
	for _, share := range shares {
		total += share
	}
	return total
}

// SpreadFixedShares are what each domain takes where the constraint does not count the copies: its verdict on a domain never changes.
// self is 1 where the constraint's own check adds the incoming pod all the same (a selector that is empty matches the pod but counts none).
func SpreadFixedShares(domains []Domain, skew int64, minDomains int, self int64) []int64 {
	if len(domains) == 0 {
		return nil
	}
	least := domains[0].Existing
	for _, d := range domains {
		least = min(least, d.Existing)
	}
	if len(domains) < minDomains {
		least = 0
	}
	shares := make([]int64, len(domains))
	for i, d := range domains {
		if d.Existing+self-least <= skew {
			shares[i] = d.Capacity
		}
	}
	return shares
}

// Separate is how many copies fit that repel each other within a topology domain, given which domains have room and how much the
// nodes outside any domain take.
//
// Proof. A copy in a domain bars the domain to every other copy, as the term matches the copies themselves (InterPodAffinity.Filter, both
// its own rule and the existing pods'). So a domain takes one copy iff one of its nodes takes one, independent of all others: the order
// does not matter. A node without the topology label is in no domain: the term neither bars it nor is counted there, and it takes what it
// takes without the term.
func Separate(domainHasRoom map[string]bool, outside int64) int64 {
	total := outside
	for _, room := range domainHasRoom {
		if room {
			total++
		}
	}
	return total
}
