package nemesis

// Cover is sets of so many names each, in which every two names meet at least once: what two nemeses do to each other is seen without
// playing them all at once. It is made greedily, and is the same each time.
func Cover(names []string, size int) [][]string {
	size = min(size, len(names))
	if size < 2 {
		return [][]string{names}
	}
	met := make([][]bool, len(names))
	for i := range met {
		met[i] = make([]bool, len(names))
		met[i][i] = true
	}
	var out [][]string
	for unmet(met) {
		var set []int
		for range size {
			set = append(set, best(met, set))
		}
		var of []string
		for _, i := range set {
			of = append(of, names[i])
			for _, j := range set {
				met[i][j] = true
			}
		}
		out = append(out, of)
	}
	return out
}

func unmet(met [][]bool) bool {
	for i := range met {
		if lonely(met, i) > 0 {
			return true
		}
	}
	return false
}

// lonely is how many others one has not met.
func lonely(met [][]bool, i int) int {
	n := 0
	for _, seen := range met[i] {
		if !seen {
			n++
		}
	}
	return n
}

// best is who has met the fewest of a set, and of these the one who has met the fewest of all.
func best(met [][]bool, set []int) int {
	found, most := -1, -1
	for i := range met {
		value := 0
		for _, j := range set {
			if i == j {
				value = -1 << 20 // it is in the set
			} else if !met[i][j] {
				value += len(met)
			}
		}
		if value += lonely(met, i); value > most {
			found, most = i, value
		}
	}
	return found
}
