//! Points on the globe as unit vectors, and the distance between them.

use crate::model::Coordinates;

/// The mean radius of the Earth in km (IUGG, R1). The Earth is not a sphere: distances are right to half a percent.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point on the globe: a vector of length one from its centre, so that a distance needs no sine or cosine of the
/// coordinates at query time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point([f64; 3]);

impl From<Coordinates> for Point {
    fn from(Coordinates { latitude, longitude }: Coordinates) -> Point {
        let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
        Point([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()])
    }
}

/// To a metre: seven digits of each part of the vector.
impl From<Point> for [f32; 3] {
    fn from(Point(vector): Point) -> [f32; 3] {
        vector.map(|part| part as f32)
    }
}

impl From<[f32; 3]> for Point {
    #[inline]
    fn from(vector: [f32; 3]) -> Point {
        Point(vector.map(f64::from))
    }
}

impl Point {
    /// Degrees again, to a hundredth: for people.
    pub fn coordinates(&self) -> Coordinates {
        let Point([x, y, z]) = *self;
        let rounded = |radians: f64| (radians.to_degrees() * 100.0).round() / 100.0;
        Coordinates { latitude: rounded(z.clamp(-1.0, 1.0).asin()), longitude: rounded(y.atan2(x)) }
    }

    /// Along the great circle, in km: 0 to about 20 015.
    pub fn distance_km(&self, other: &Point) -> f64 {
        // Not the arc cosine of the dot product alone: that loses all digits for points that are near each other.
        self.cross(other).length().atan2(self.dot(other)) * EARTH_RADIUS_KM
    }

    /// The square of the straight line through the Earth, in its radii: 0 to 4. It grows with the distance, so that it tells
    /// which of two points is nearer at a fraction of the cost.
    pub fn chord_squared(&self, other: &Point) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        let (a, b, c) = (a - x, b - y, c - z);
        a * a + b * b + c * c
    }

    /// What the distance at this `chord_squared` is at least, squared, in km²: a line along the globe is longer than one
    /// through it.
    pub fn least_km_squared(chord_squared: f64) -> f64 {
        chord_squared * (EARTH_RADIUS_KM * EARTH_RADIUS_KM)
    }

    fn dot(&self, other: &Point) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    fn cross(&self, other: &Point) -> Point {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Point([b * z - c * y, c * x - a * z, a * y - b * x])
    }

    fn length(&self) -> f64 {
        self.dot(self).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Region;

    fn region(name: &str) -> Point {
        Region::from_name(name).unwrap().coordinates().into()
    }

    fn at(latitude: f64, longitude: f64) -> Point {
        Coordinates { latitude, longitude }.into()
    }

    fn check(a: Point, b: Point, km: f64, tolerance: f64) {
        let distance = a.distance_km(&b);
        assert!((distance - km).abs() <= tolerance, "{distance} is not {km}");
    }

    #[test]
    fn known_distances_come_out() {
        check(region("eu-central-1"), region("eu-west-1"), 1088.0, 3.0);
        check(region("eu-central-1"), region("us-east-1"), 6550.0, 30.0);
        check(region("eu-west-2"), region("ap-southeast-2"), 16994.0, 40.0);
        check(at(48.8566, 2.3522), at(51.5074, -0.1278), 343.6, 1.0);
        check(at(0.0, 0.0), at(0.0, 1.0), 111.195, 0.001);
    }

    #[test]
    fn near_points_keep_their_distance() {
        check(at(52.52, 13.40), at(52.52, 13.40), 0.0, 1e-9);
        check(at(10.0, 20.0), at(10.00001, 20.0), 0.001_112, 1e-6);
    }

    #[test]
    fn antipodes_are_half_the_circumference_apart() {
        check(at(90.0, 0.0), at(-90.0, 0.0), 20_015.115, 0.01);
        check(at(0.0, 0.0), at(0.0, 180.0), 20_015.115, 0.01);
        check(at(40.0, -75.0), at(-40.0, 105.0), 20_015.115, 0.01);
    }

    #[test]
    fn the_date_line_is_no_wall() {
        check(at(0.0, 179.5), at(0.0, -179.5), 111.195, 0.001);
    }

    fn anywhere() -> impl Strategy<Value = Point> {
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(latitude, longitude)| at(latitude, longitude))
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in anywhere(), b in anywhere(), c in anywhere()) {
            prop_assert!(a.distance_km(&a) < 1e-6);
            prop_assert!((a.distance_km(&b) - b.distance_km(&a)).abs() < 1e-6);
            prop_assert!((0.0..20_015.2).contains(&a.distance_km(&b)));
            prop_assert!(a.distance_km(&c) <= a.distance_km(&b) + b.distance_km(&c) + 1e-6);
        }

        #[test]
        fn the_shorter_chord_is_the_shorter_distance(a in anywhere(), b in anywhere(), c in anywhere()) {
            prop_assume!((a.distance_km(&b) - a.distance_km(&c)).abs() > 1e-3);
            prop_assert_eq!(a.chord_squared(&b) < a.chord_squared(&c), a.distance_km(&b) < a.distance_km(&c));
            let least = Point::least_km_squared(a.chord_squared(&b)).sqrt();
            prop_assert!(least <= a.distance_km(&b) + 1e-6);
        }
    }
}
